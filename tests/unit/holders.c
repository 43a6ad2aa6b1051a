/* Who holds a file: each kind of holder found, named and described; and what is said where not all
 * can be found. */
#include "holders/holders.h"

#include "base/clock.h"
#include "holders/sqlite_locks.h"
#include "holders/words.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>

TestSuite(holders, .init = dir_begin, .fini = dir_end, .timeout = 60);

enum { ROOM = 64, CAP_SYS_PTRACE_NUMBER = 19 };

static struct holder list[ROOM];
static struct holders found = {.list = list, .room = ROOM};

static struct holders_question question_of(const char *path, enum until until)
{
    return (struct holders_question){.path = path,
                                     .sidecars = true,
                                     .locks = true,
                                     .until = until,
                                     .deadline = clock_now() + 20000ull * MS};
}

static void find(const char *path, enum until until)
{
    const struct holders_question question = question_of(path, until);
    holders_find(&found, &question, NULL);
}

/* The row of a process; NULL if there is none. */
static const struct holder *row_of(pid_t pid, enum hold hold)
{
    for (unsigned i = 0; i < found.count; i++)
        if (list[i].pid == pid && list[i].hold == hold)
            return &list[i];
    return NULL;
}

static const char *described(const struct holder *h)
{
    static char buffer[512];
    struct text t = text_in(buffer, sizeof buffer);
    holder_describe(&t, h);
    return buffer;
}

/* --- kinds and levels --- */

/* A row a kind: what it is called, and the first level that it keeps the file from. */
static const struct {
    enum keeps keeps;
    enum hold hold;
    enum until level;
    bool writes;
} kinds[] = {
    {KEEPS_POSIX_READ, HOLD_POSIX_READ, UNTIL_UNLOCKED, true},
    {KEEPS_POSIX_WRITE, HOLD_POSIX_WRITE, UNTIL_UNLOCKED, true},
    {KEEPS_OFD, HOLD_OFD, UNTIL_UNLOCKED, true},
    {KEEPS_FLOCK_SHARED, HOLD_FLOCK, UNTIL_UNLOCKED, true},
    {KEEPS_FLOCK, HOLD_FLOCK, UNTIL_UNLOCKED, true},
    {KEEPS_LEASE, HOLD_LEASE, UNTIL_UNLOCKED, true},
    {KEEPS_READ_LEASE, HOLD_LEASE, UNTIL_CLOSED, false},
    {KEEPS_OPEN_FOR_WRITING, HOLD_WRITING, UNTIL_UNWRITTEN, true},
    {KEEPS_OPEN, HOLD_OPEN, UNTIL_CLOSED, false},
    {KEEPS_MAPPED_FOR_WRITING, HOLD_MAPPED, UNTIL_UNWRITTEN, true},
    {KEEPS_MAPPED, HOLD_MAPPED, UNTIL_CLOSED, false},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

Test(holders, each_kind_is_named_with_its_process_descriptor_and_file)
{
    for (int i = 0; i < KINDS; i++) {
        const char *path = a_file("file");
        struct keeper k = keep(kinds[i].keeps, path, -1);
        find(path, UNTIL_CLOSED);
        cr_assert_eq(found.count, 1u, "%d: %u rows", i, found.count);
        cr_expect_eq(list[0].hold, kinds[i].hold, "%d: %s", i, hold_name(list[0].hold));
        cr_expect_eq(list[0].pid, k.pid);
        cr_expect_str_eq(list[0].command, "keeper");
        cr_expect_str_eq(list[0].ending, "");
        cr_expect_eq(list[0].writes, kinds[i].writes, "%d", i);
        char link[64];
        char target[PATH_MAX] = "";
        snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)k.pid, list[0].descriptor);
        if (kinds[i].hold == HOLD_MAPPED)
            cr_expect_eq(list[0].descriptor, -1);
        else
            cr_expect(readlink(link, target, sizeof target - 1) > 0 && str_equal(target, path),
                      "%s", link);
        let_go(&k);
        find(path, UNTIL_CLOSED);
        cr_expect_eq(found.count, 0u);
    }
}

Test(holders, a_holder_is_one_from_the_level_on_that_it_keeps_the_file_from)
{
    for (int i = 0; i < KINDS; i++) {
        const char *path = a_file("file");
        struct keeper k = keep(kinds[i].keeps, path, -1);
        for (enum until until = UNTIL_UNLOCKED; until <= UNTIL_CLOSED; until++) {
            find(path, until);
            cr_expect_eq(found.count, until >= kinds[i].level ? 1u : 0u, "%d at %s", i,
                         until_names[until]);
        }
        let_go(&k);
    }
}

Test(holders, every_kind_has_the_words_that_people_search_for)
{
    cr_expect_str_eq(hold_name(HOLD_POSIX_READ), "POSIX read lock");
    cr_expect_str_eq(hold_name(HOLD_POSIX_WRITE), "POSIX write lock");
    cr_expect_str_eq(hold_name(HOLD_OFD), "OFD lock");
    cr_expect_str_eq(hold_name(HOLD_FLOCK), "flock");
    cr_expect_str_eq(hold_name(HOLD_LEASE), "lease");
    cr_expect_str_eq(hold_name(HOLD_WRITING), "open for writing");
    cr_expect_str_eq(hold_name(HOLD_OPEN), "open");
    cr_expect_str_eq(hold_name(HOLD_MAPPED), "mapped");
    cr_expect_str_eq(hold_name(HOLD_DOTFILE), "dot-file lock");
}

Test(holders, a_sidecar_is_told_by_its_ending)
{
    const char *path = a_file("file");
    struct keeper wal = keep(KEEPS_OPEN_FOR_WRITING, a_file("file-wal"), -1);
    struct keeper shm = keep(KEEPS_FLOCK, a_file("file-shm"), -1);
    struct keeper other = keep(KEEPS_FLOCK, a_file("file2"), -1);
    find(path, UNTIL_CLOSED);
    cr_expect_eq(found.count, 2u);
    cr_assert_not_null(row_of(wal.pid, HOLD_WRITING));
    cr_expect_str_eq(row_of(wal.pid, HOLD_WRITING)->ending, "-wal");
    cr_assert_not_null(row_of(shm.pid, HOLD_FLOCK));
    cr_expect_str_eq(row_of(shm.pid, HOLD_FLOCK)->ending, "-shm");
    struct holders_question question = question_of(path, UNTIL_CLOSED);
    question.sidecars = false;
    holders_find(&found, &question, NULL);
    cr_expect_eq(found.count, 0u);
    let_go(&wal);
    let_go(&shm);
    let_go(&other);
}

/* --- SQLite's names --- */

static const char *sqlite_name(bool wal_index, bool exclusive, uint64_t start, uint64_t end)
{
    static char buffer[128];
    struct text t = text_in(buffer, sizeof buffer);
    sqlite_locks_say(&t, sqlite_locks_in(wal_index, exclusive, start, end));
    return buffer;
}

/* The bytes are those of https://www.sqlite.org/walformat.html and of os_unix.c. */
Test(holders, the_bytes_that_sqlite_locks_have_sqlites_names)
{
    const uint64_t pending = 0x40000000;
    cr_expect_str_eq(sqlite_name(false, false, pending + 2, pending + 511), "SHARED");
    cr_expect_str_eq(sqlite_name(false, true, pending + 1, pending + 1), "RESERVED");
    cr_expect_str_eq(sqlite_name(false, true, pending, pending), "PENDING");
    cr_expect_str_eq(sqlite_name(false, true, pending, pending + 1), "PENDING");
    cr_expect_str_eq(sqlite_name(false, true, pending, pending + 511), "EXCLUSIVE");
    cr_expect_str_eq(sqlite_name(false, true, pending + 2, pending + 511), "EXCLUSIVE");
    cr_expect_str_eq(sqlite_name(true, true, 120, 120), "WAL write");
    cr_expect_str_eq(sqlite_name(true, true, 121, 121), "WAL checkpoint");
    cr_expect_str_eq(sqlite_name(true, true, 120, 121), "WAL write+WAL checkpoint");
    cr_expect_str_eq(sqlite_name(true, true, 122, 122), "WAL recover");
    for (uint64_t i = 123; i <= 127; i++) {
        cr_expect_str_eq(sqlite_name(true, false, i, i), "WAL read");
        cr_expect_str_eq(sqlite_name(true, true, i, i), "WAL read");
    }
    cr_expect_str_eq(sqlite_name(true, false, 128, 128), "WAL connection");
}

Test(holders, other_bytes_have_no_name_of_sqlites)
{
    const uint64_t pending = 0x40000000;
    cr_expect_str_empty(sqlite_name(false, true, 0, HOLDER_TO_END));
    cr_expect_str_empty(sqlite_name(false, true, pending - 1, pending));
    cr_expect_str_empty(sqlite_name(false, true, pending + 1, pending + 512));
    cr_expect_str_empty(sqlite_name(false, false, pending, pending));
    cr_expect_str_empty(sqlite_name(false, true, 120, 120));
    cr_expect_str_empty(sqlite_name(true, true, 119, 120));
    cr_expect_str_empty(sqlite_name(true, true, 128, 129));
    cr_expect_str_empty(sqlite_name(true, false, 120, 122));
    cr_expect_str_empty(sqlite_name(true, true, pending, pending));
}

/* keep() locks where SQLite's readers do. */
Test(holders, a_lock_of_sqlites_is_named_in_the_description)
{
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_POSIX_READ, path, -1);
    char expected[128];
    find(path, UNTIL_UNLOCKED);
    cr_assert_eq(found.count, 1u);
    snprintf(expected, sizeof expected, "POSIX read lock of pid %d (keeper), SHARED", (int)k.pid);
    cr_expect_str_eq(described(&list[0]), expected);
    let_go(&k);
}

/* --- several at once --- */

Test(holders, all_holders_of_a_file_are_found)
{
    const char *path = a_file("file");
    struct keeper ks[] = {keep(KEEPS_FLOCK_SHARED, path, -1), keep(KEEPS_FLOCK_SHARED, path, -1),
                          keep(KEEPS_POSIX_READ, path, -1), keep(KEEPS_OPEN, path, -1),
                          keep(KEEPS_MAPPED, path, -1)};
    const enum hold holds[] = {HOLD_FLOCK, HOLD_FLOCK, HOLD_POSIX_READ, HOLD_OPEN, HOLD_MAPPED};
    find(path, UNTIL_CLOSED);
    cr_expect_eq(found.count, 5u);
    for (int i = 0; i < 5; i++)
        cr_expect_not_null(row_of(ks[i].pid, holds[i]), "%d", i);
    for (int i = 0; i < 5; i++)
        let_go(&ks[i]);
}

Test(holders, one_who_waits_for_a_lock_is_no_holder)
{
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_FLOCK_SHARED, path, -1);
    pid_t waiting = fork();
    if (waiting == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(flock(open(path, O_RDWR | O_CLOEXEC), LOCK_EX));
    }
    for (int i = 0; i < 20; i++) {
        find(path, UNTIL_UNLOCKED);
        cr_expect_eq(found.count, 1u);
        cr_expect_eq(list[0].pid, k.pid);
        poll(NULL, 0, 5);
    }
    kill(waiting, SIGKILL);
    waitpid(waiting, NULL, 0);
    let_go(&k);
}

Test(holders, what_finds_no_room_is_counted)
{
    const char *path = a_file("file");
    struct keeper ks[] = {keep(KEEPS_FLOCK_SHARED, path, -1), keep(KEEPS_FLOCK_SHARED, path, -1),
                          keep(KEEPS_OPEN, path, -1)};
    found.room = 1;
    find(path, UNTIL_CLOSED);
    cr_expect_eq(found.count, 1u);
    cr_expect_geq(found.unlisted, 2u);
    cr_expect_not(holders_complete(&found));
    for (int i = 0; i < 3; i++)
        let_go(&ks[i]);
}

/* More than a page of /proc/locks, while locks elsewhere come and go. */
Test(holders, locks_that_come_and_go_elsewhere_make_no_holder_twofold)
{
    const char *path = a_file("file");
    const char *elsewhere = a_file("elsewhere");
    struct keeper k = keep(KEEPS_FLOCK, path, -1);
    pid_t busy = fork();
    if (busy == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(elsewhere, O_RDWR | O_CLOEXEC);
        for (unsigned i = 0;; i++)
            for (long byte = 0; byte < 400; byte += 2) {
                short type = (i & 1) != 0 ? F_UNLCK : F_WRLCK;
                struct flock lock = {
                    .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
                fcntl(fd, F_SETLK, &lock);
            }
    }
    for (int i = 0; i < 200; i++) {
        find(path, UNTIL_UNLOCKED);
        cr_assert_eq(found.count, 1u);
        cr_assert_eq(list[0].pid, k.pid);
    }
    kill(busy, SIGKILL);
    waitpid(busy, NULL, 0);
    let_go(&k);
}

Test(holders, no_further_process_is_looked_into_after_the_deadline)
{
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_OPEN, path, -1);
    struct holders_question question = question_of(path, UNTIL_CLOSED);
    question.deadline = clock_now();
    holders_find(&found, &question, NULL);
    cr_expect_eq(found.count, 0u);
    cr_expect(found.hurried);
    cr_expect_not(holders_complete(&found));
    let_go(&k);
}

/* --- this process --- */

Test(holders, this_process_is_named_with_its_descriptors)
{
    const char *path = a_file("file");
    char expected[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int other = open(path, O_RDWR | O_CLOEXEC);
    find(path, UNTIL_CLOSED);
    cr_expect_eq(found.count, 2u);
    cr_assert_not_null(row_of(getpid(), HOLD_OPEN));
    cr_expect_eq(row_of(getpid(), HOLD_OPEN)->descriptor, fd);
    cr_assert_not_null(row_of(getpid(), HOLD_WRITING));
    cr_expect_eq(row_of(getpid(), HOLD_WRITING)->descriptor, other);
    snprintf(expected, sizeof expected, "this process), descriptor %d", fd);
    cr_expect_not_null(strstr(described(row_of(getpid(), HOLD_OPEN)), expected), "%s",
                       described(row_of(getpid(), HOLD_OPEN)));
}

Test(holders, a_posix_lock_is_one_however_many_copies_its_descriptor_has)
{
    const char *path = a_file("file");
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    int copy = dup(fd);
    cr_assert(copy > fd && fcntl(fd, F_SETLK, &lock) == 0);
    find(path, UNTIL_CLOSED);
    cr_expect_eq(found.count, 2u);
    cr_assert_not_null(row_of(getpid(), HOLD_POSIX_WRITE));
    cr_expect_eq(row_of(getpid(), HOLD_POSIX_WRITE)->descriptor, fd);
    cr_assert_not_null(row_of(getpid(), HOLD_WRITING));
    cr_expect_eq(row_of(getpid(), HOLD_WRITING)->descriptor, copy);
}

Test(holders, a_mapping_counts_by_the_descriptor_it_was_made_from)
{
    const char *path = a_file("file");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *mapped = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    find(path, UNTIL_CLOSED);
    cr_expect_eq(found.count, 2u, "the descriptor cannot write, and the mapping could");
    cr_assert_not_null(row_of(getpid(), HOLD_MAPPED));
    cr_expect(row_of(getpid(), HOLD_MAPPED)->writes);
    fd = open(path, O_RDWR | O_CLOEXEC);
    find(path, UNTIL_CLOSED);
    cr_expect_null(row_of(getpid(), HOLD_MAPPED), "a descriptor stands for the mapping");
    munmap(mapped, 1);
}

Test(holders, a_descriptor_that_only_names_the_file_does_not_have_it_open)
{
    const char *path = a_file("file");
    int fd = open(path, O_PATH | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    find(path, UNTIL_CLOSED);
    cr_expect_eq(found.count, 0u);
}

/* --- processes that have something from another --- */

static int heir_ready[2];

/* A child of a child: the one that took the lock ends, the heir keeps it. Returns the heir's pid.
 */
static pid_t bequeath(const char *path, bool flocks)
{
    pid_t heir = 0;
    cr_assert_eq(pipe(heir_ready), 0);
    pid_t taker = fork();
    if (taker == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = open(path, O_RDWR);
        if (flocks ? flock(fd, LOCK_EX) < 0 : fcntl(fd, F_OFD_SETLK, &lock) < 0)
            _exit(1);
        pid_t pid = fork();
        if (pid == 0) {
            pause();
            _exit(0);
        }
        _exit(write(heir_ready[1], &pid, sizeof pid) == (ssize_t)sizeof pid ? 0 : 1);
    }
    cr_assert_eq(read(heir_ready[0], &heir, sizeof heir), (ssize_t)sizeof heir);
    cr_assert_eq(waitpid(taker, NULL, 0), taker);
    return heir;
}

Test(holders, an_inherited_lock_is_its_heirs)
{
    const char *path = a_file("file");
    for (int flocks = 0; flocks < 2; flocks++) {
        pid_t heir = bequeath(path, flocks != 0);
        find(path, UNTIL_UNLOCKED);
        cr_expect_eq(found.count, 1u);
        cr_expect_eq(list[0].pid, heir);
        cr_expect_eq(list[0].hold, flocks ? HOLD_FLOCK : HOLD_OFD);
        kill(heir, SIGKILL);
        poll(NULL, 0, 50);
    }
}

Test(holders, a_lock_that_two_processes_share_is_both_of_theirs)
{
    const char *path = a_file("file");
    int fd = open(path, O_RDWR);
    cr_assert_eq(flock(fd, LOCK_EX), 0);
    pid_t heir = fork();
    if (heir == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
    }
    find(path, UNTIL_UNLOCKED);
    cr_expect_eq(found.count, 2u);
    cr_expect_not_null(row_of(getpid(), HOLD_FLOCK));
    cr_expect_not_null(row_of(heir, HOLD_FLOCK));
    kill(heir, SIGKILL);
    waitpid(heir, NULL, 0);
}

static void *sit(void *unused)
{
    pause();
    return unused;
}

/* /proc/PID/fd is that of the first thread. */
Test(holders, a_process_whose_first_thread_has_ended_is_found)
{
    const char *path = a_file("file");
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (open(path, O_RDONLY) < 0 || pthread_create(&thread, NULL, sit, NULL) != 0)
            _exit(1);
        sys_call(SYS_exit, 0, 0, 0, 0, 0, 0);
    }
    poll(NULL, 0, 100);
    find(path, UNTIL_CLOSED);
    cr_expect_eq(found.count, 1u);
    cr_expect_not_null(row_of(pid, HOLD_OPEN));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* --- what cannot be looked into --- */

static const char *watched;
static pid_t holder_pid;

/* As a user who may not look into root's processes. Only /proc/locks tells then. */
static int find_as_nobody(void)
{
    if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
        return 1;
    find(watched, UNTIL_CLOSED);
    if (found.refused == 0 || holders_complete(&found))
        return 2;
    const struct holder *h = row_of(holder_pid, HOLD_POSIX_WRITE);
    if (found.count != 1 || h == NULL)
        return 3;
    return str_equal(h->command, "keeper") && h->descriptor == -1 ? 0 : 4;
}

static pid_t other_pid;

/* A process of nobody's that has the same lock, which may be looked into: itself. */
static int find_as_one_of_several(void)
{
    struct flock lock = {.l_type = F_RDLCK, .l_start = 0x40000002, .l_len = 510};
    if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
        return 1;
    prctl(PR_SET_DUMPABLE, 1); /* which setuid has taken away */
    if (fcntl(open(watched, O_RDONLY | O_CLOEXEC), F_SETLK, &lock) < 0)
        return 2;
    find(watched, UNTIL_UNLOCKED);
    const struct holder *own = row_of(getpid(), HOLD_POSIX_READ);
    if (found.count != 3 || own == NULL || own->descriptor < 0)
        return 3;
    return row_of(holder_pid, HOLD_POSIX_READ) != NULL && row_of(other_pid, HOLD_POSIX_READ) != NULL
               ? 0
               : 4;
}

Test(holders, a_lock_that_is_found_is_not_taken_for_the_same_one_of_another_user)
{
    watched = a_file("file");
    cr_assert_eq(chmod(unit_dir, 0755), 0);
    struct keeper k = keep(KEEPS_POSIX_READ, watched, -1);
    struct keeper other = keep(KEEPS_POSIX_READ, watched, -1);
    holder_pid = k.pid;
    other_pid = other.pid;
    cr_expect_eq(in_child(find_as_one_of_several), 0);
    let_go(&k);
    let_go(&other);
}

Test(holders, another_users_lock_is_named_and_that_more_may_be_there_is_said)
{
    watched = a_file("file");
    cr_assert_eq(chmod(unit_dir, 0755), 0);
    struct keeper k = keep(KEEPS_POSIX_WRITE, watched, -1);
    struct keeper other = keep(KEEPS_OPEN, watched, -1);
    holder_pid = k.pid;
    cr_expect_eq(in_child(find_as_nobody), 0);
    let_go(&k);
    let_go(&other);
}

/* The directory of the descriptors can be read, but not what is behind them. */
static int find_without_ptrace(void)
{
    drop_capability(CAP_SYS_PTRACE_NUMBER);
    find(watched, UNTIL_CLOSED);
    if (found.refused == 0 || holders_complete(&found))
        return 1;
    return found.count == 1 && row_of(holder_pid, HOLD_POSIX_WRITE) != NULL ? 0 : 2;
}

Test(holders, a_more_privileged_process_counts_as_not_looked_into)
{
    watched = a_file("file");
    struct keeper k = keep(KEEPS_POSIX_WRITE, watched, -1);
    struct keeper other = keep(KEEPS_OPEN, watched, -1);
    holder_pid = k.pid;
    cr_expect_eq(in_child(find_without_ptrace), 0);
    let_go(&k);
    let_go(&other);
}

static int taken[2];

/* Takes the lock, and has a child that keeps it and may not be looked into. */
static void take_and_pass_on(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
        _exit(1);
    prctl(PR_SET_DUMPABLE, 1); /* which setuid has taken away */
    int fd = open(watched, O_RDONLY);
    if (flock(fd, LOCK_SH) < 0)
        _exit(1);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_DUMPABLE, 0);
        _exit(write(taken[1], "", 1) == 1 ? pause() : 1);
    }
    close(fd);
    pause();
}

static int find_what_was_passed_on(void)
{
    if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
        return 1;
    find(watched, UNTIL_UNLOCKED);
    if (found.count != 1 || list[0].hold != HOLD_FLOCK)
        return 2;
    return list[0].pid == 0 ? 0 : 3;
}

/* /proc/locks tells of a flock who took it. */
Test(holders, a_lock_is_not_named_after_one_who_has_passed_it_on)
{
    char byte;
    watched = a_file("file");
    cr_assert(chmod(unit_dir, 0755) == 0 && pipe(taken) == 0);
    pid_t taker = fork();
    if (taker == 0)
        take_and_pass_on();
    cr_assert_eq(read(taken[0], &byte, 1), 1);
    poll(NULL, 0, 50); /* for the close */
    cr_expect_eq(in_child(find_what_was_passed_on), 0);
    kill(taker, SIGKILL);
    waitpid(taker, NULL, 0);
}

Test(holders, what_is_missing_is_said_in_words)
{
    char buffer[512];
    struct text t = text_in(buffer, sizeof buffer);
    struct holders none = {.room = 1};
    holders_say_missing(&t, &none);
    cr_expect_str_empty(buffer);
    none.refused = 1;
    none.hurried = true;
    none.out_of_sight = true;
    holders_say_missing(&t, &none);
    cr_expect_str_eq(buffer,
                     "1 process may not be looked into (another user's, or a more privileged one); "
                     "there was no time to look into all processes; processes outside of this "
                     "container (pid namespace) cannot be seen");
}

/* --- pid namespaces --- */

/* For the children to come; the descriptor leads back. */
static int enter_new_pid_namespace(int flags)
{
    int home = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    cr_assert(home >= 0 && unshare(CLONE_NEWPID | flags) == 0);
    return home;
}

Test(holders, a_holder_in_an_inner_pid_namespace_is_named_with_both_its_pids)
{
    const char *path = a_file("file");
    char expected[128];
    int home = enter_new_pid_namespace(0);
    struct keeper k = keep(KEEPS_POSIX_WRITE, path, -1);
    find(path, UNTIL_UNLOCKED);
    cr_assert_eq(found.count, 1u);
    cr_expect_eq(list[0].inner_pid, 1);
    snprintf(expected, sizeof expected,
             "POSIX write lock of pid %d (keeper, pid 1 in its container), EXCLUSIVE", (int)k.pid);
    cr_expect_str_eq(described(&list[0]), expected);
    let_go(&k);
    cr_assert_eq(setns(home, CLONE_NEWPID), 0);
}

static struct holder seen_by_kernel;

/* In a pid namespace of its own with its own /proc. */
static int find_from_inside(void)
{
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("proc", "/proc", "proc", 0, NULL) < 0)
        return 1;
    const struct holders_question question = question_of(watched, UNTIL_UNLOCKED);
    holders_find(&found, &question, NULL);
    if (found.count != 0 || !found.out_of_sight || holders_complete(&found))
        return 2;
    holders_find(&found, &question, &seen_by_kernel);
    if (found.count != 1 || list[0].hold != HOLD_POSIX_WRITE)
        return 3;
    return str_equal(described(&list[0]), "POSIX write lock of a process in another container or "
                                          "on the host (another pid namespace)")
               ? 0
               : 4;
}

Test(holders, a_holder_in_an_outer_pid_namespace_is_reported_as_such)
{
    watched = a_file("file");
    struct keeper k = keep(KEEPS_POSIX_WRITE, watched, -1);
    seen_by_kernel = (struct holder){.hold = HOLD_POSIX_WRITE,
                                     .where = WHERE_OTHER_NAMESPACE,
                                     .exclusive = true,
                                     .descriptor = -1,
                                     .ending = "",
                                     .end = HOLDER_TO_END};
    int home = enter_new_pid_namespace(CLONE_NEWNS);
    cr_expect_eq(in_child(find_from_inside), 0);
    let_go(&k);
    cr_assert_eq(setns(home, CLONE_NEWPID), 0);
}

/* --- the one that the kernel named --- */

static void find_seen(const char *path, const struct holder *seen, bool remote)
{
    struct holders_question question = question_of(path, UNTIL_CLOSED);
    question.remote = remote;
    holders_find(&found, &question, seen);
}

static struct holder a_write_lock_of(pid_t pid)
{
    return (struct holder){.hold = HOLD_POSIX_WRITE,
                           .exclusive = true,
                           .pid = pid,
                           .descriptor = -1,
                           .ending = "",
                           .start = 0x40000002,
                           .end = 0x400001ff};
}

Test(holders, the_one_that_the_kernel_named_comes_first_and_once)
{
    const char *path = a_file("file");
    struct keeper first = keep(KEEPS_OPEN, path, -1);
    struct keeper k = keep(KEEPS_POSIX_WRITE, path, -1);
    struct holder seen = a_write_lock_of(k.pid);
    find_seen(path, &seen, false);
    cr_expect_eq(found.count, 2u);
    cr_expect_eq(list[0].pid, k.pid);
    cr_expect_geq(list[0].descriptor, 0, "completed by what was found");
    cr_expect_eq(list[1].pid, first.pid);
    let_go(&first);
    let_go(&k);
}

Test(holders, one_that_the_kernel_named_and_that_is_gone_by_now_is_still_told)
{
    const char *path = a_file("file");
    struct holder seen = a_write_lock_of(getpid());
    find_seen(path, &seen, false);
    cr_expect_eq(found.count, 1u);
    cr_expect_eq(list[0].pid, getpid());
    cr_expect_str_neq(list[0].command, "");
    cr_expect_not_null(strstr(described(&list[0]), "EXCLUSIVE"));
}

Test(holders, one_that_the_kernel_named_has_room_in_a_full_list)
{
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_OPEN, path, -1);
    struct holder seen = a_write_lock_of(getpid());
    found.room = 1;
    find_seen(path, &seen, false);
    cr_expect_eq(found.count, 1u);
    cr_expect_eq(list[0].pid, getpid());
    cr_expect_eq(list[1].hold, HOLD_NONE, "that is not part of the list");
    cr_expect_eq(found.unlisted, 1u);
    let_go(&k);
}

/* Two of another pid namespace and of ours may share a lock of the same bytes. */
Test(holders, one_of_another_pid_namespace_is_not_taken_for_one_of_ours)
{
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_POSIX_READ, path, -1);
    struct holder seen = a_write_lock_of(0);
    seen.hold = HOLD_POSIX_READ;
    seen.exclusive = false;
    seen.where = WHERE_OTHER_NAMESPACE;
    find_seen(path, &seen, false);
    cr_expect_eq(found.count, 2u);
    cr_expect_eq(list[0].where, WHERE_OTHER_NAMESPACE);
    cr_expect_eq(list[1].pid, k.pid);
    let_go(&k);
}

/* A lease that is refused tells no process, only that there is one. */
Test(holders, who_has_it_open_is_the_one_that_a_refused_lease_meant)
{
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_POSIX_WRITE, path, -1);
    const struct holder seen = {.hold = HOLD_OPEN, .descriptor = -1, .ending = ""};
    find_seen(path, &seen, false);
    cr_expect_eq(found.count, 1u);
    cr_expect_eq(list[0].pid, k.pid);
    let_go(&k);
    find_seen(path, &seen, false);
    cr_expect_eq(found.count, 1u);
    cr_expect_str_eq(described(&list[0]), "open of a process that cannot be named from here");
}

Test(holders, on_a_remote_file_system_a_process_that_does_not_have_the_file_is_another_hosts)
{
    const char *path = a_file("file");
    struct keeper here = keep(KEEPS_OPEN, path, -1);
    struct keeper elsewhere = keep(KEEPS_OPEN, a_file("other"), -1);
    char expected[64];
    struct holder seen = a_write_lock_of(elsewhere.pid);
    find_seen(path, &seen, true);
    cr_expect_eq(list[0].where, WHERE_OTHER_HOST);
    snprintf(expected, sizeof expected, "POSIX write lock of pid %d on another host, EXCLUSIVE",
             (int)elsewhere.pid);
    cr_expect_str_eq(described(&list[0]), expected);
    find_seen(path, &seen, false);
    cr_expect_eq(list[0].where, WHERE_HERE, "on a local one the kernel means this host's");
    seen.pid = here.pid;
    find_seen(path, &seen, true);
    cr_expect_eq(list[0].where, WHERE_HERE);
    let_go(&elsewhere);
    seen.pid = elsewhere.pid; /* of nobody by now */
    find_seen(path, &seen, true);
    cr_expect_eq(list[0].where, WHERE_OTHER_HOST);
    let_go(&here);
}

/* --- telling --- */

Test(holders, a_line_has_all_that_there_is_room_for_and_how_many_more)
{
    char buffer[1024];
    struct holder six[6];
    struct holders all = {.list = six, .room = 6, .count = 6, .unlisted = 2};
    for (int i = 0; i < 6; i++) {
        six[i] = (struct holder){.hold = HOLD_FLOCK, .pid = i + 1, .descriptor = -1, .ending = ""};
        strcpy(six[i].command, "x");
    }
    struct text t = text_in(buffer, sizeof buffer);
    holders_describe(&t, &all);
    cr_expect_str_eq(buffer, "flock of pid 1 (x); also flock of pid 2 (x); flock of pid 3 (x); "
                             "flock of pid 4 (x); flock of pid 5 (x); flock of pid 6 (x); 2 more");
    t = text_in(buffer, 512 + 30);
    holders_describe(&t, &all);
    cr_expect_str_eq(buffer, "flock of pid 1 (x); also flock of pid 2 (x); 6 more");
    all.hurried = true;
    t = text_in(buffer, 512 + 10);
    holders_describe(&t, &all);
    cr_expect_str_eq(buffer, "flock of pid 1 (x); 7 more; no time to look for others");
    all.hurried = false;
    all.count = 1;
    all.unlisted = 0;
    t = text_in(buffer, sizeof buffer);
    holders_describe(&t, &all);
    cr_expect_str_eq(buffer, "flock of pid 1 (x)");
}

Test(holders, json_has_all_that_is_known)
{
    char buffer[1024];
    struct text t = text_in(buffer, sizeof buffer);
    struct json j = json_begin(&t);
    struct holder h = {.hold = HOLD_POSIX_WRITE,
                       .exclusive = true,
                       .writes = true,
                       .pid = 42,
                       .inner_pid = 7,
                       .descriptor = 5,
                       .ending = "-shm",
                       .start = 120,
                       .end = 120,
                       .sqlite = sqlite_locks_in(true, true, 120, 120)};
    strcpy(h.command, "x");
    json_list(&j, "holders");
    holder_json(&j, &h, "/data/db");
    h = (struct holder){.hold = HOLD_MAPPED, .descriptor = -1, .ending = ""};
    holder_json(&j, &h, "/data/db");
    h.hold = HOLD_OFD;
    h.end = HOLDER_TO_END;
    h.where = WHERE_OTHER_HOST;
    holder_json(&j, &h, "/data/db");
    json_end(&j, ']');
    json_end(&j, '}');
    cr_expect_str_eq(
        buffer,
        "{\"holders\":[{\"pid\":42,\"command\":\"x\",\"kind\":\"POSIX write lock\","
        "\"file\":\"/data/db-shm\",\"lock\":\"WAL write\",\"exclusive\":true,\"start\":120,"
        "\"end\":120,\"fd\":5,\"writes\":true,\"inner_pid\":7},"
        "{\"pid\":0,\"command\":\"\",\"kind\":\"mapped\",\"file\":\"/data/db\",\"writes\":false},"
        "{\"pid\":0,\"command\":\"\",\"kind\":\"OFD lock\",\"file\":\"/data/db\","
        "\"exclusive\":false,\"start\":0,\"where\":\"another host\"}]}");
}
