/* One question to the kernel, by each kind of holder and at each level; and what the question
 * itself leaves behind: nothing. */
#include "wait/probe.h"

#include "base/clock.h"
#include "helper/helper.h"
#include "holders/words.h"
#include "unit.h"

#include <errno.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mount.h>

TestSuite(probe, .init = dir_begin, .fini = dir_end, .timeout = 30);

static const struct identity any = {0, 0};

static const char *probed;

static const enum keeps all_kinds[] = {KEEPS_POSIX_READ,   KEEPS_POSIX_WRITE, KEEPS_OFD,
                                       KEEPS_FLOCK_SHARED, KEEPS_FLOCK,       KEEPS_LEASE};
enum { KINDS = sizeof all_kinds / sizeof all_kinds[0] };

static enum verdict verdict_on(const char *path)
{
    struct probe p = probe_of(path, any);
    enum verdict verdict = probe_ask(&p);
    probe_end(&p);
    return verdict;
}

static int error_on(const char *path)
{
    struct probe p = probe_of(path, any);
    cr_expect_eq(probe_ask(&p), VERDICT_UNEXAMINED, "%s", path);
    probe_end(&p);
    return p.error;
}

static struct identity identity_at(const char *path)
{
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    return identity_of(&st);
}

Test(probe, a_free_file_is_settled)
{
    cr_expect_eq(verdict_on(a_file("file")), VERDICT_SETTLED);
}

/* --- each kind of lock --- */

/* The kernel names the process of a POSIX lock only. */
static void is_held_until_let_go(enum keeps what, enum hold hold)
{
    const char *path = a_file("file");
    struct keeper k = keep(what, path, -1);
    struct probe p = probe_of(path, identity_at(path));
    cr_expect_eq(probe_ask(&p), VERDICT_HELD);
    cr_expect_eq(p.holder.hold, hold, "%s", hold_name(p.holder.hold));
    cr_expect_eq(p.holder.pid, hold == HOLD_POSIX_READ || hold == HOLD_POSIX_WRITE ? k.pid : 0);
    let_go(&k);
    cr_expect_eq(probe_ask(&p), VERDICT_SETTLED);
    cr_expect_eq(p.holder.hold, HOLD_NONE);
    probe_end(&p);
}

Test(probe, a_posix_read_lock_is_held_by_its_process)
{
    is_held_until_let_go(KEEPS_POSIX_READ, HOLD_POSIX_READ);
}

Test(probe, a_posix_write_lock_is_held_by_its_process)
{
    is_held_until_let_go(KEEPS_POSIX_WRITE, HOLD_POSIX_WRITE);
}

Test(probe, an_ofd_lock_is_held)
{
    is_held_until_let_go(KEEPS_OFD, HOLD_OFD);
}

Test(probe, a_shared_flock_is_held)
{
    is_held_until_let_go(KEEPS_FLOCK_SHARED, HOLD_FLOCK);
}

Test(probe, an_exclusive_flock_is_held)
{
    is_held_until_let_go(KEEPS_FLOCK, HOLD_FLOCK);
}

/* An open without O_NONBLOCK would stop here for 45 s. */
Test(probe, a_lease_is_held)
{
    is_held_until_let_go(KEEPS_LEASE, HOLD_LEASE);
}

/* SQLite makes a directory; a file of that name is somebody else's. */
Test(probe, a_dot_file_is_held_where_it_is_asked_for)
{
    struct probe p = probe_of(a_file("file"), (struct identity){0, 0});
    p.dotfile = true;
    cr_expect_eq(probe_ask(&p), VERDICT_SETTLED);
    cr_assert_eq(mkdir(in_dir("file.lock"), 0700), 0);
    cr_expect_eq(probe_ask(&p), VERDICT_HELD);
    cr_expect_eq(p.holder.hold, HOLD_DOTFILE);
    cr_expect_str_eq(p.holder.ending, ".lock");
    p.dotfile = false;
    cr_expect_eq(probe_ask(&p), VERDICT_SETTLED);
    p.dotfile = true;
    cr_assert_eq(rmdir(in_dir("file.lock")), 0);
    a_file("file.lock");
    cr_expect_eq(probe_ask(&p), VERDICT_SETTLED);
    probe_end(&p);
}

static void ask_in_helper(void *argument)
{
    struct probe *p = argument;
    probe_ask(p);
    probe_end(p);
}

Test(probe, a_posix_lock_of_this_process_is_seen_from_a_helper_and_stays)
{
    const char *path = a_file("file");
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert_eq(fcntl(fd, F_SETLK, &lock), 0);
    for (int i = 0; i < 2; i++) {
        struct helper *h = helper_new(sizeof(struct probe));
        struct probe *p = helper_request(h);
        *p = probe_of(path, any);
        cr_assert_eq(helper_run(h, ask_in_helper, clock_now() + 20000ull * MS), 0);
        cr_expect_eq(p->holder.hold, HOLD_POSIX_WRITE);
        cr_expect_eq(p->holder.pid, getpid());
        helper_free(h);
    }
}

/* --- the levels --- */

/* A row a kind of holder: the first level at which it holds, and by what the kernel tells it there.
 */
static const struct {
    enum keeps keeps;
    enum until level;
    enum hold hold;
} levels[] = {
    {KEEPS_POSIX_READ, UNTIL_UNLOCKED, HOLD_POSIX_READ},
    {KEEPS_POSIX_WRITE, UNTIL_UNLOCKED, HOLD_POSIX_WRITE},
    {KEEPS_OFD, UNTIL_UNLOCKED, HOLD_OFD},
    {KEEPS_FLOCK_SHARED, UNTIL_UNLOCKED, HOLD_FLOCK},
    {KEEPS_FLOCK, UNTIL_UNLOCKED, HOLD_FLOCK},
    {KEEPS_LEASE, UNTIL_UNLOCKED, HOLD_LEASE},
    {KEEPS_OPEN_FOR_WRITING, UNTIL_UNWRITTEN, HOLD_WRITING},
    {KEEPS_MAPPED_FOR_WRITING, UNTIL_UNWRITTEN, HOLD_WRITING},
    {KEEPS_OPEN, UNTIL_CLOSED, HOLD_OPEN},
    {KEEPS_MAPPED, UNTIL_CLOSED, HOLD_OPEN},
    {KEEPS_READ_LEASE, UNTIL_CLOSED, HOLD_OPEN},
};
enum { LEVELS = sizeof levels / sizeof levels[0] };

static struct probe probe_at(const char *path, enum until until)
{
    struct probe p = probe_of(path, any);
    p.until = until;
    return p;
}

Test(probe, a_free_file_is_settled_at_every_level)
{
    const char *path = a_file("file");
    for (enum until until = UNTIL_UNLOCKED; until <= UNTIL_CLOSED; until++) {
        struct probe p = probe_at(path, until);
        for (int i = 0; i < 3; i++)
            cr_expect_eq(probe_ask(&p), VERDICT_SETTLED, "%s", until_names[until]);
        probe_end(&p);
    }
}

Test(probe, a_holder_holds_from_its_level_on)
{
    for (int i = 0; i < LEVELS; i++) {
        const char *path = a_file("file");
        for (enum until until = UNTIL_UNLOCKED; until <= UNTIL_CLOSED; until++) {
            struct keeper k = keep(levels[i].keeps, path, -1);
            bool holds = until >= levels[i].level;
            struct probe p = probe_at(path, until);
            cr_expect_eq(probe_ask(&p), holds ? VERDICT_HELD : VERDICT_SETTLED, "%d at %s", i,
                         until_names[until]);
            /* a lease that is refused tells no more than that */
            enum hold hold = levels[i].hold == HOLD_WRITING && until == UNTIL_CLOSED
                                 ? HOLD_OPEN
                                 : levels[i].hold;
            cr_expect_eq(p.holder.hold, holds ? hold : HOLD_NONE, "%d at %s", i,
                         until_names[until]);
            let_go(&k);
            cr_expect_eq(probe_ask(&p), VERDICT_SETTLED, "%d at %s", i, until_names[until]);
            probe_end(&p);
        }
    }
}

/* From a table of its own, as the library asks. */
static enum verdict verdict_from_helper(const char *path, enum until until)
{
    struct helper *h = helper_new(sizeof(struct probe));
    struct probe *p = helper_request(h);
    *p = probe_at(path, until);
    cr_assert_eq(helper_run(h, ask_in_helper, clock_now() + 20000ull * MS), 0);
    enum verdict verdict = p->holder.hold == HOLD_NONE ? VERDICT_SETTLED : VERDICT_HELD;
    helper_free(h);
    return verdict;
}

Test(probe, this_process_counts_as_any_other_when_a_helper_asks)
{
    const char *path = a_file("file");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_expect_eq(verdict_from_helper(path, UNTIL_UNWRITTEN), VERDICT_SETTLED);
    cr_expect_eq(verdict_from_helper(path, UNTIL_CLOSED), VERDICT_HELD);
    int writer = open(path, O_WRONLY | O_CLOEXEC);
    cr_expect_eq(verdict_from_helper(path, UNTIL_UNWRITTEN), VERDICT_HELD);
    close(writer);
    close(fd);
    cr_expect_eq(verdict_from_helper(path, UNTIL_UNWRITTEN), VERDICT_SETTLED);
    cr_expect_eq(verdict_from_helper(path, UNTIL_CLOSED), VERDICT_SETTLED);
}

/* Or two who wait for the same file would keep each other waiting. */
Test(probe, between_two_questions_about_closed_the_file_is_not_open)
{
    const char *path = a_file("file");
    struct probe one = probe_at(path, UNTIL_CLOSED);
    struct probe other = probe_at(path, UNTIL_CLOSED);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(probe_ask(&one), VERDICT_SETTLED);
        cr_expect_eq(probe_ask(&other), VERDICT_SETTLED);
        cr_expect_eq(one.fd, -1);
    }
    struct keeper k = keep(KEEPS_OPEN, path, -1);
    cr_expect_eq(probe_ask(&one), VERDICT_HELD);
    cr_expect_eq(one.fd, -1);
    let_go(&k);
}

Test(probe, a_lease_is_given_back_at_once)
{
    const char *path = a_file("file");
    for (enum until until = UNTIL_UNWRITTEN; until <= UNTIL_CLOSED; until++) {
        struct probe p = probe_at(path, until);
        cr_expect_eq(probe_ask(&p), VERDICT_SETTLED);
        int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        cr_expect_geq(fd, 0, "at %s", until_names[until]);
        close(fd);
        probe_end(&p);
    }
}

/* --- the signal of a lease that is broken --- */

struct opened_at {
    struct probe probe;
    bool broken; /* somebody has opened the file during a lease */
};

/* Until the kernel has told this thread of it, which shows where the signal goes. */
static void ask_until_a_lease_is_broken(void *argument)
{
    struct opened_at *o = argument;
    uint64_t end = clock_now() + 20000ull * MS;
    while (!o->broken && clock_now() < end) {
        sys_sigset pending = 0;
        probe_ask(&o->probe);
        sys_call(SYS_rt_sigpending, (long)&pending, sizeof pending, 0, 0, 0, 0);
        o->broken = (pending >> (SIGIO - 1) & 1) != 0;
    }
    probe_end(&o->probe);
}

static pid_t open_without_end(const char *path)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            close(open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC));
    }
    return pid;
}

/* SIGIO would end this process. */
Test(probe, who_opens_the_file_during_a_lease_sends_no_signal_to_the_program)
{
    const char *path = a_file("file");
    for (enum until until = UNTIL_UNWRITTEN; until <= UNTIL_CLOSED; until++) {
        pid_t opener = open_without_end(path);
        struct helper *h = helper_new(sizeof(struct opened_at));
        struct opened_at *o = helper_request(h);
        o->probe = probe_at(path, until);
        cr_assert_eq(helper_run(h, ask_until_a_lease_is_broken, clock_now() + 40000ull * MS), 0);
        cr_expect(o->broken, "no lease was broken in 20 s, so this shows nothing");
        helper_free(h);
        kill(opener, SIGKILL);
        waitpid(opener, NULL, 0);
        sigset_t pending;
        cr_expect(sigpending(&pending) == 0 && !sigismember(&pending, SIGIO));
    }
}

/* --- where there is no lease --- */

enum { CAP_LEASE_NUMBER = 28 };

static enum until asked;

static enum verdict verdict_without_lease(void)
{
    struct probe p = probe_at(probed, asked);
    drop_capability(CAP_LEASE_NUMBER);
    enum verdict verdict = probe_ask(&p);
    if (verdict == VERDICT_UNEXAMINED && p.reason == NULL)
        return VERDICT_GONE; /* which no test expects */
    if (verdict == VERDICT_HELD && p.holder.pid == 0)
        return VERDICT_GONE;
    return verdict;
}

static int as_another_user(void)
{
    if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
        return -1;
    return (int)verdict_without_lease();
}

/* /proc as a machine would show it on which there is only this process, with nothing open, or one
 * that may not be looked into. */
static int in_a_world_of_its_own(bool pid_1)
{
    char path[64];
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/proc", "tmpfs", 0, NULL) < 0)
        return -1;
    snprintf(path, sizeof path, "/proc/%d", (int)getpid());
    mkdir(path, 0755);
    if (symlink(path + 6, "/proc/self") < 0)
        return -1;
    snprintf(path, sizeof path, "/proc/%d/ns", (int)getpid());
    mkdir(path, 0755);
    snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)getpid());
    if (symlink("pid:[4026531836]", path) < 0)
        return -1;
    if (pid_1)
        mkdir("/proc/1", 0755);
    return (int)verdict_without_lease();
}

static int all_can_be_seen(void)
{
    return in_a_world_of_its_own(true);
}

static int the_first_process_is_hidden(void)
{
    return in_a_world_of_its_own(false);
}

static const char *nobodys_file(void)
{
    const char *path = a_file("file");
    cr_assert(chmod(unit_dir, 0755) == 0 && chown(path, NOBODY, NOBODY) == 0);
    return path;
}

Test(probe, without_a_lease_the_processes_tell)
{
    probed = nobodys_file();
    for (asked = UNTIL_UNWRITTEN; asked <= UNTIL_CLOSED; asked++) {
        struct keeper k = keep(KEEPS_OPEN_FOR_WRITING, probed, -1);
        cr_expect_eq(in_child((int (*)(void))verdict_without_lease), VERDICT_HELD);
        let_go(&k);
        cr_expect_eq(in_child(all_can_be_seen), VERDICT_SETTLED);
    }
    asked = UNTIL_UNWRITTEN;
    struct keeper k = keep(KEEPS_OPEN, probed, -1);
    cr_expect_neq(in_child((int (*)(void))verdict_without_lease), VERDICT_HELD);
    let_go(&k);
}

Test(probe, without_a_lease_and_without_a_view_of_all_processes_nothing_can_tell)
{
    probed = nobodys_file();
    asked = UNTIL_CLOSED;
    cr_expect_eq(in_child(the_first_process_is_hidden), VERDICT_UNEXAMINED);
    cr_assert_eq(chown(probed, 0, 0), 0);
    cr_expect_eq(in_child(as_another_user), VERDICT_UNEXAMINED);
    asked = UNTIL_UNLOCKED;
    cr_expect_eq(in_child(as_another_user), VERDICT_SETTLED, "which needs neither");
}

/* Docker's containers have their files there. */
Test(probe, a_mapping_on_overlayfs_counts_though_no_lease_tells_of_it)
{
    char options[512];
    const char *names[] = {"lower", "upper", "work", "merged"};
    cr_assert(unshare(CLONE_NEWNS) == 0 &&
              mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    cr_assert_eq(mount("none", unit_dir, "tmpfs", 0, NULL), 0);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(mkdir(in_dir(names[i]), 0755), 0);
    snprintf(options, sizeof options, "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
             unit_dir, unit_dir, unit_dir);
    cr_assert_eq(mount("none", in_dir("merged"), "overlay", 0, options), 0);
    const char *path = a_file("merged/file");
    struct keeper k = keep(KEEPS_MAPPED, path, -1);
    struct probe p = probe_at(path, UNTIL_UNWRITTEN);
    cr_expect_eq(probe_ask(&p), VERDICT_SETTLED);
    probe_end(&p);
    p = probe_at(path, UNTIL_CLOSED);
    cr_expect_eq(probe_ask(&p), VERDICT_HELD);
    cr_expect_eq(p.holder.hold, HOLD_MAPPED);
    let_go(&k);
    cr_expect_eq(probe_ask(&p), VERDICT_SETTLED);
    cr_assert(umount2(in_dir("merged"), MNT_DETACH) == 0 && umount2(unit_dir, MNT_DETACH) == 0);
}

/* --- what a probe leaves behind --- */

/* In another process: 0 if it could have every kind of lock on the whole file. */
static int cannot_lock(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(probed, O_RDWR | O_CLOEXEC);
    return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fcntl(fd, F_SETLK, &lock) < 0;
}

Test(probe, it_leaves_nothing_locked)
{
    probed = a_file("file");
    struct probe p = probe_of(probed, any);
    cr_expect_eq(probe_ask(&p), VERDICT_SETTLED);
    cr_expect_eq(in_child(cannot_lock), 0);
    probe_end(&p);
}

Test(probe, asking_again_opens_nothing)
{
    char events[4096];
    const char *path = a_file("file");
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    cr_assert_geq(inotify_add_watch(fd, path, IN_OPEN | IN_CLOSE | IN_MODIFY), 0);
    struct probe p = probe_of(path, any);
    for (int i = 0; i < 5; i++)
        cr_expect_eq(probe_ask(&p), VERDICT_SETTLED);
    cr_expect_eq(read(fd, events, sizeof events), (ssize_t)sizeof(struct inotify_event),
                 "one event: its one open");
    probe_end(&p);
}

Test(probe, the_last_look_at_a_free_file_leaves_neither_lock_nor_descriptor)
{
    const char *path = a_file("file");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct probe p = probe_of(path, any);
    p.last = true;
    cr_expect_eq(probe_ask(&p), VERDICT_SETTLED);
    cr_expect_eq(p.fd, -1);
    cr_expect_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    cr_expect_eq(probe_ask(&p), VERDICT_HELD, "the last look is so only where it is free");
    cr_expect_geq(p.fd, 0);
    probe_end(&p);
}

Test(probe, its_end_may_come_twice_and_leaves_no_descriptor)
{
    struct probe p = probe_of(a_file("file"), any);
    probe_ask(&p);
    int fd = p.fd;
    cr_expect_neq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    probe_end(&p);
    cr_expect_lt(fcntl(fd, F_GETFD), 0);
    cr_assert_eq(dup2(0, fd), fd); /* the number is somebody else's now */
    probe_end(&p);
    cr_expect_geq(fcntl(fd, F_GETFD), 0);
}

/* --- what cannot be asked --- */

Test(probe, a_missing_file_is_gone)
{
    cr_expect_eq(verdict_on(in_dir("missing")), VERDICT_GONE);
    cr_expect_eq(verdict_on(in_dir("missing/file")), VERDICT_GONE);
}

/* An open of a FIFO would block, or wake its writer. */
Test(probe, what_is_no_regular_file_is_not_opened)
{
    const char *path = in_dir("fifo");
    cr_assert_eq(mkfifo(path, 0644), 0);
    cr_expect_eq(error_on(path), EINVAL);
    cr_expect_eq(open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC), -1, "it has a reader");
    cr_expect_eq(error_on(unit_dir), EINVAL);
    cr_expect_eq(error_on("/dev/null"), EINVAL);
}

Test(probe, a_path_that_leads_nowhere_tells_why)
{
    a_file("file");
    cr_expect_eq(error_on(in_dir("file/below")), ENOTDIR);
    cr_assert_eq(symlink("loop", in_dir("loop")), 0);
    cr_expect_eq(error_on(in_dir("loop")), ELOOP);
}

Test(probe, a_symbolic_link_stands_for_its_file)
{
    const char *path = a_file("file");
    cr_assert_eq(symlink("file", in_dir("link")), 0);
    struct keeper k = keep(KEEPS_POSIX_WRITE, path, -1);
    cr_expect_eq(verdict_on(in_dir("link")), VERDICT_HELD);
    let_go(&k);
}

/* --- which file is meant --- */

Test(probe, another_file_of_the_same_name_is_not_the_one_that_is_meant)
{
    const char *path = a_file("file");
    struct identity first = identity_at(path);
    cr_assert_eq(rename(path, in_dir("old")), 0);
    a_file("file");
    struct keeper k = keep(KEEPS_POSIX_WRITE, path, -1);
    struct probe p = probe_of(path, first);
    cr_expect_eq(probe_ask(&p), VERDICT_GONE);
    probe_end(&p);
    p = probe_of(in_dir("old"), first);
    cr_expect_eq(probe_ask(&p), VERDICT_SETTLED);
    probe_end(&p);
    let_go(&k);
}

Test(probe, where_the_path_is_fresh_another_file_of_the_same_name_is_not_the_one_either)
{
    const char *path = a_file("file");
    struct probe p = probe_of(path, identity_at(path));
    p.fresh = true;
    cr_expect_eq(probe_ask(&p), VERDICT_SETTLED);
    probe_end(&p);
    p.fresh = true;
    cr_assert_eq(rename(a_file("new"), path), 0);
    cr_expect_eq(probe_ask(&p), VERDICT_GONE);
    probe_end(&p);
    p.fresh = true;
    cr_assert_eq(unlink(path), 0);
    cr_expect_eq(probe_ask(&p), VERDICT_GONE);
    probe_end(&p);
}

Test(probe, a_file_that_is_replaced_between_two_questions_is_gone)
{
    for (int i = 0; i < KINDS; i++) {
        const char *path = a_file("file");
        struct probe p = probe_of(path, any);
        cr_expect_eq(probe_ask(&p), VERDICT_SETTLED);
        cr_assert_eq(rename(a_file("new"), path), 0);
        struct keeper k = keep(all_kinds[i], path, -1);
        cr_expect_eq(probe_ask(&p), VERDICT_GONE);
        let_go(&k);
        probe_end(&p);
    }
}

Test(probe, a_file_that_is_deleted_between_two_questions_is_gone)
{
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_POSIX_WRITE, path, -1);
    struct probe p = probe_of(path, identity_at(path));
    cr_expect_eq(probe_ask(&p), VERDICT_HELD);
    cr_assert_eq(unlink(path), 0);
    cr_expect_eq(probe_ask(&p), VERDICT_GONE);
    probe_end(&p);
    let_go(&k);
}
