#include "probe.h"

#include "helper.h"
#include "unit.h"

#include <errno.h>
#include <sys/inotify.h>

TestSuite(probe, .init = dir_begin, .fini = dir_end, .timeout = 30);

static const struct identity any = {0, 0};

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
        cr_assert_eq(helper_run(h, ask_in_helper, sys_now() + 20000ull * MS), 0);
        cr_expect_eq(p->holder.hold, HOLD_POSIX_WRITE);
        cr_expect_eq(p->holder.pid, getpid());
        helper_free(h);
    }
}

/* --- what a probe leaves behind --- */

static const char *probed;

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
