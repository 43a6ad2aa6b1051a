#include "wait/probe.h"

#include "base/clock.h"
#include "base/sys.h"
#include "wait/dotfile.h"

#include <errno.h>
#include <sys/file.h>

struct probe probe_of(const char *path, struct identity expected)
{
    return (struct probe){.path = path, .expected = expected, .directory = AT_FDCWD, .fd = -1};
}

static enum verdict failed(struct probe *p, int error)
{
    if (error == ENOENT)
        return VERDICT_GONE;
    p->error = error;
    p->reason = NULL;
    return VERDICT_UNEXAMINED;
}

static bool same_file(const struct probe *p, const struct stat *st)
{
    return p->expected.ino == 0 || identity_same(p->expected, identity_of(st));
}

static enum verdict held(struct probe *p, struct holder holder)
{
    holder.descriptor = -1;
    holder.ending = "";
    p->holder = holder;
    return VERDICT_HELD;
}

static enum verdict look_at_path(struct probe *p)
{
    struct stat st;
    int result = sys_stat(p->path, &st);
    if (result < 0)
        return failed(p, -result);
    if (!same_file(p, &st))
        return VERDICT_GONE;
    if (!S_ISREG(st.st_mode)) {
        p->reason = "not a regular file";
        p->error = EINVAL;
        return VERDICT_UNEXAMINED;
    }
    p->expected = identity_of(&st);
    return VERDICT_SETTLED;
}

/* The path is looked at before it is opened: to open a FIFO or a device has effects of its own. */
static enum verdict open_file(struct probe *p)
{
    if (!p->fresh) {
        enum verdict looked_at = look_at_path(p);
        if (looked_at != VERDICT_SETTLED)
            return looked_at;
    }
    p->fresh = false;

    /* Without O_NONBLOCK an open of a file with a lease on it blocks for up to lease-break-time, 45
     * s. */
    int fd = sys_openat(p->directory, p->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (fd == -EWOULDBLOCK)
        return held(p, (struct holder){.hold = HOLD_LEASE, .exclusive = true});
    if (fd < 0)
        return failed(p, -fd);
    p->fd = fd;
    return VERDICT_SETTLED;
}

static struct holder holder_of(const struct flock *lock)
{
    struct holder h = holder_of_lock(lock->l_type, lock->l_pid);
    h.start = (uint64_t)lock->l_start;
    h.end = lock->l_len == 0 ? HOLDER_TO_END : (uint64_t)(lock->l_start + lock->l_len - 1);
    return h;
}

/* F_GETLK asks for a write lock without taking it, and needs no write access; for a read lock, only
 * those that write are in the way. The answer names one holder. */
static enum verdict ask_record_locks(struct probe *p)
{
    struct flock lock = {.l_type = p->writers ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    int result = sys_fcntl(p->fd, F_GETLK, (long)&lock);
    if (result < 0)
        return failed(p, -result);
    return lock.l_type == F_UNLCK ? VERDICT_SETTLED : held(p, holder_of(&lock));
}

static enum verdict ask_flock(struct probe *p)
{
    int result = sys_flock(p->fd, LOCK_EX | LOCK_NB);
    if (result == 0 && p->last && p->until == UNTIL_UNLOCKED)
        probe_end(p); /* gives it back, too */
    else if (result == 0)
        sys_flock(p->fd, LOCK_UN);
    if (result != -EWOULDBLOCK)
        return VERDICT_SETTLED; /* granted, or a file system without flock: nobody can hold one */
    return held(p, (struct holder){.hold = HOLD_FLOCK});
}

static enum verdict ask_dotfile(struct probe *p)
{
    if (!dotfile_is_held(p->path))
        return VERDICT_SETTLED;
    held(p, (struct holder){.hold = HOLD_DOTFILE, .exclusive = true});
    p->holder.ending = dotfile_ending;
    return VERDICT_HELD;
}

/* Whether a process is found that has the file open or mapped. A look at one after the other is no
 * instant: it is for what no lease tells. complete: whether none can have been missed. */
static enum verdict ask_processes(struct probe *p, bool *complete)
{
    const uint64_t longest = 500000000;
    struct holder list[1];
    struct holders found = {.list = list, .room = 1};
    const struct holders_question question = {.path = p->path,
                                              .until = p->until,
                                              .remote = p->on.remote,
                                              .deadline = clock_now() + longest};
    if (p->until == UNTIL_CLOSED)
        probe_end(p); /* it would be found */
    holders_find(&found, &question, NULL);
    *complete = holders_complete(&found);
    return found.count > 0 ? held(p, list[0]) : VERDICT_SETTLED;
}

static enum verdict do_without_lease(struct probe *p, int error)
{
    bool complete;
    enum verdict verdict = ask_processes(p, &complete);
    if (verdict == VERDICT_HELD || complete)
        return verdict;
    p->error = error;
    p->reason = error == EACCES
                    ? "who has it open is not told: not the file's owner, without CAP_LEASE, and "
                      "not all processes may be looked into"
                    : "who has it open is not told: no leases on this file system, and not all "
                      "processes may be looked into";
    return VERDICT_UNEXAMINED;
}

/* The lease is granted if nobody has the file open for writing (F_RDLCK) or at all (F_WRLCK)
 * besides this descriptor (fcntl(2), "Leases"). Who opens the file meanwhile waits until it is
 * given back, and the kernel sends SIGIO to the descriptor's owner: to this thread, whose signals
 * are blocked. Without an owner it would be the process, and giving a lease back takes the owner
 * away (lease_setup and lease_modify in the kernel's fs/locks.c), so one is set each time. */
static enum verdict ask_lease(struct probe *p)
{
    const bool closed = p->until == UNTIL_CLOSED;
    const struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = sys_gettid()};
    int result = sys_fcntl(p->fd, F_SETOWN_EX, (long)&owner);
    if (result == 0)
        result = sys_fcntl(p->fd, F_SETLEASE, closed ? F_WRLCK : F_RDLCK);
    if (result == 0) {
        bool complete;
        sys_fcntl(p->fd, F_SETLEASE, F_UNLCK);
        return p->on.hides_mappings ? ask_processes(p, &complete) : VERDICT_SETTLED;
    }
    if (result == -EAGAIN && !p->on.foreign)
        return held(p,
                    (struct holder){.hold = closed ? HOLD_OPEN : HOLD_WRITING, .writes = !closed});
    return do_without_lease(p, -result);
}

/* Whether who has a lock of that engine's kind is a successor of the one who asks. */
static bool passes(const struct probe *p, enum engine engine)
{
    return p->until == UNTIL_UNLOCKED && p->passed == engine;
}

/* To try for it would be in the way of the successor, who may just be about to take it. */
static enum verdict pass_flock(struct probe *p)
{
    p->handed_over = true;
    return VERDICT_SETTLED;
}

static enum verdict ask(struct probe *p)
{
    if (p->fd < 0) {
        enum verdict opened = open_file(p);
        if (opened != VERDICT_SETTLED)
            return opened;
    }
    struct stat st;
    int result = sys_fstat(p->fd, &st);
    if (result < 0)
        return failed(p, -result);
    if (st.st_nlink == 0 || !same_file(p, &st))
        return VERDICT_GONE;
    if (p->device != st.st_dev) {
        p->device = st.st_dev;
        p->on = file_system_of(p->fd);
    }

    enum verdict verdict = ask_record_locks(p);
    if (verdict == VERDICT_HELD && passes(p, ENGINE_RECORDS)) {
        p->handed_over = true;
        verdict = VERDICT_SETTLED;
    }
    if (verdict == VERDICT_SETTLED && p->dotfile)
        verdict = ask_dotfile(p);
    if (verdict == VERDICT_SETTLED && !p->on.remote && !p->writers)
        verdict = passes(p, ENGINE_FLOCK) ? pass_flock(p) : ask_flock(p);
    if (verdict == VERDICT_SETTLED && p->until != UNTIL_UNLOCKED)
        verdict = ask_lease(p);
    return verdict;
}

enum verdict probe_ask(struct probe *p)
{
    p->holder = (struct holder){.hold = HOLD_NONE};
    enum verdict verdict = ask(p);
    if (p->until == UNTIL_CLOSED)
        probe_end(p);
    return verdict;
}

void probe_end(struct probe *p)
{
    if (p->fd >= 0)
        sys_close(p->fd);
    p->fd = -1;
}
