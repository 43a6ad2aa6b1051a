/* Descriptors of another process, looked at through /proc: what they are of, and that the look
 * changes nothing there. */
#include "supervise/peek.h"

#include "track/begin.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static struct settings settings;

static void begin(void)
{
    dir_begin();
    settings_set_defaults(&settings);
    begin_books(&settings);
    peek_start(&settings);
}

TestSuite(peek, .init = begin, .fini = dir_end, .timeout = 10);

static struct peek look;

static int look_at(int fd)
{
    int directory = peek_directory(getpid());
    cr_assert_geq(directory, 0);
    look.role = ROLE_CANDIDATE;
    int error = peek_at(directory, fd, &look);
    close(directory);
    return error;
}

static int open_file(const char *name)
{
    return open(a_file(name), O_RDWR | O_CLOEXEC);
}

Test(peek, a_stores_file_is_known_by_its_descriptor)
{
    const int fd = open_file("chroma.sqlite3");
    cr_expect_eq(look_at(fd), 0);
    cr_expect_eq(look.role, ROLE_PRIMARY);
    cr_expect_str_eq(look.path, in_dir("chroma.sqlite3"));
    cr_expect_eq(look_at(open_file("chroma.sqlite3-wal")), 0);
    cr_expect_eq(look.role, ROLE_SIDECAR);
    cr_expect_str_eq(look.found.named.primary, in_dir("chroma.sqlite3"));
}

Test(peek, what_is_no_stores_is_nothing)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_expect_eq(look_at(ends[0]), 0);
    cr_expect_eq(look.role, ROLE_NONE);
    cr_expect_eq(look_at(open_file("another.file")), 0);
    cr_expect_eq(look.role, ROLE_NONE);
    const int fd = open_file("chroma.sqlite3");
    cr_assert_eq(unlink(in_dir("chroma.sqlite3")), 0);
    cr_expect_eq(look_at(fd), 0);
    cr_expect_eq(look.role, ROLE_NONE, "it has no name any more");
    cr_assert_eq(mkdir(in_dir("chroma.sqlite3"), 0755), 0);
    cr_expect_eq(look_at(open(in_dir("chroma.sqlite3"), O_RDONLY)), 0);
    cr_expect_eq(look.role, ROLE_NONE, "a directory");
}

/* Whoever waits for a reader would take us for one. */
Test(peek, a_pipe_with_a_stores_name_is_not_opened)
{
    char event[256];
    cr_assert_eq(mkfifo(in_dir("chroma.sqlite3"), 0644), 0);
    const int fd = open(in_dir("chroma.sqlite3"), O_RDWR);
    const int watch = inotify_init1(IN_NONBLOCK);
    cr_assert_geq(inotify_add_watch(watch, in_dir("chroma.sqlite3"), IN_OPEN), 0);
    cr_expect_eq(look_at(fd), 0);
    cr_expect_eq(look.role, ROLE_NONE);
    cr_expect_eq(read(watch, event, sizeof event), -1);
    cr_expect_eq(errno, EAGAIN);
}

/* What is known by its content alone, where no name says that it is gone. */
Test(peek, a_database_without_a_name_is_nobodys)
{
    char start[512] = "SQLite format 3";
    cr_assert(settings_take(&settings, "SETTLE_STORES", "sqlite", NULL));
    begin_books(&settings);
    peek_start(&settings);
    const int fd = open_file("any");
    cr_assert_eq(write(fd, start, sizeof start), (ssize_t)sizeof start);
    cr_expect_eq(look_at(fd), 0);
    cr_expect_eq(look.role, ROLE_PRIMARY);
    cr_assert_eq(unlink(in_dir("any")), 0);
    cr_expect_eq(look_at(fd), 0);
    cr_expect_eq(look.role, ROLE_NONE);
}

Test(peek, what_is_not_open_is_told_apart)
{
    cr_expect_eq(look_at(777), ENOENT);
}

static pid_t ended_process(void)
{
    const pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    return pid;
}

Test(peek, a_process_that_has_ended_is_nothing_to_look_in)
{
    const pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    const int directory = peek_directory(pid);
    cr_expect_geq(directory, 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    const int error = peek_at(directory, 0, &look);
    cr_expect(error == ENOENT || error == ESRCH, "%s", strerror(error));
    cr_expect_eq(peek_directory(ended_process()), -1);
}

static _Atomic int thread;

static void *tell_thread(void *unused)
{
    atomic_store(&thread, (int)syscall(SYS_gettid));
    while (atomic_load(&thread) != 0)
        usleep(1000);
    return unused;
}

Test(peek, a_thread_is_its_processs)
{
    pthread_t other;
    cr_assert_eq(pthread_create(&other, NULL, tell_thread, NULL), 0);
    while (atomic_load(&thread) == 0)
        usleep(1000);
    cr_expect_neq(atomic_load(&thread), getpid());
    cr_expect_eq(peek_process_of(atomic_load(&thread)), getpid());
    atomic_store(&thread, 0);
    pthread_join(other, NULL);
    const int gone = ended_process();
    cr_expect_eq(peek_process_of(gone), gone);
}

static int fd_of_parent;

static int look_from_outside(void)
{
    const int directory = peek_directory(getppid());
    int error = peek_at(directory, fd_of_parent, &look);
    const int own = peek_open(directory, fd_of_parent);
    close(own);
    return directory < 0 || own < 0 || error != 0 || look.role != ROLE_PRIMARY;
}

static int finds_both_locks(void)
{
    struct flock asked = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const int fd = open(in_dir("chroma.sqlite3"), O_RDWR | O_CLOEXEC);
    const bool posix = fcntl(fd, F_GETLK, &asked) == 0 && asked.l_type == F_WRLCK;
    return posix && flock(fd, LOCK_SH | LOCK_NB) != 0 ? 0 : 1;
}

/* It is another process that looks, so its closes are of no lock. */
Test(peek, who_is_looked_at_keeps_its_locks)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    fd_of_parent = open_file("chroma.sqlite3");
    cr_assert_eq(fcntl(fd_of_parent, F_SETLK, &lock), 0);
    cr_assert_eq(flock(fd_of_parent, LOCK_EX), 0);
    cr_expect_eq(in_child(look_from_outside), 0);
    cr_expect_eq(in_child(finds_both_locks), 0, "one is gone");
}
