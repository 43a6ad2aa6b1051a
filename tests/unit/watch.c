/* The watch: what wakes a sleep, what does not, and what a busy neighbour costs. */
#include "wait/watch.h"

#include "base/clock.h"
#include "unit.h"

#include <sys/time.h>

TestSuite(watch, .init = dir_begin, .fini = dir_end, .timeout = 30);

static const uint64_t for_long = 600000ull * MS;
static struct watch watch;

static const char *watched_file(void)
{
    const char *path = a_file("file");
    watch = watch_none();
    watch_start(&watch, path);
    cr_assert_geq(watch.fd, 0);
    return path;
}

/* No event comes, and the whole time passes. */
static void sleeps_through(struct watch *w)
{
    uint64_t begin = clock_now();
    cr_expect_not(watch_sleep(w, 30 * MS));
    cr_expect_geq(clock_now() - begin, 30u * MS);
}

Test(watch, without_an_event_it_sleeps_for_its_time)
{
    watched_file();
    sleeps_through(&watch);
}

Test(watch, one_that_is_not_set_sleeps_for_its_time)
{
    struct watch none = watch_none();
    cr_expect_eq(none.fd, -1);
    sleeps_through(&none);
}

Test(watch, where_there_is_no_directory_it_stays_unset_and_sleeps)
{
    watch = watch_none();
    watch_start(&watch, in_dir("missing/file"));
    cr_expect_eq(watch.fd, -1);
    sleeps_through(&watch);
}

Test(watch, a_close_after_writing_wakes_it_once)
{
    const char *path = watched_file();
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    sleeps_through(&watch); /* an open is nothing */
    close(fd);
    cr_expect(watch_sleep(&watch, for_long));
    sleeps_through(&watch);
}

Test(watch, a_close_after_reading_wakes_it)
{
    close(open(watched_file(), O_RDONLY | O_CLOEXEC));
    cr_expect(watch_sleep(&watch, for_long));
}

Test(watch, a_change_of_the_content_wakes_it)
{
    int fd = open(watched_file(), O_WRONLY | O_CLOEXEC);
    cr_assert_eq(write(fd, "x", 1), 1);
    cr_expect(watch_sleep(&watch, for_long));
    close(fd);
}

Test(watch, its_removal_wakes_it)
{
    unlink(watched_file());
    cr_expect(watch_sleep(&watch, for_long));
}

Test(watch, that_it_is_moved_away_wakes_it)
{
    rename(watched_file(), in_dir("elsewhere"));
    cr_expect(watch_sleep(&watch, for_long));
}

/* The last thing that SQLite does in a close. */
Test(watch, the_removal_of_a_sidecar_wakes_it)
{
    const char *sidecar = a_file("file-wal");
    watched_file();
    unlink(sidecar);
    cr_expect(watch_sleep(&watch, for_long));
}

Test(watch, other_files_of_the_directory_do_not_wake_it)
{
    watched_file();
    write_file(in_dir("other"), "x");
    unlink(in_dir("other"));
    sleeps_through(&watch);
}

Test(watch, an_event_wakes_it_while_it_sleeps)
{
    const char *path = watched_file();
    pid_t pid = fork();
    if (pid == 0) {
        poll(NULL, 0, 50);
        close(open(path, O_RDWR | O_CLOEXEC));
        _exit(0);
    }
    cr_expect(watch_sleep(&watch, for_long));
    waitpid(pid, NULL, 0);
}

Test(watch, files_that_others_write_all_the_time_do_not_make_it_sleep_longer)
{
    watched_file();
    const char *other = in_dir("other");
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            close(open(other, O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    }
    cr_expect_not(watch_sleep(&watch, 50 * MS)); /* and not only at the suite's time-out */
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void nothing(int number)
{
    (void)number;
}

/* What the process has taken of it so far. */
static long processor_us(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/* How much of the processor is taken by one that writes another file without a pause. */
Test(watch, a_neighbour_that_writes_all_the_time_costs_little_and_hides_nothing)
{
    const char *path = watched_file();
    const pid_t neighbour = fork();
    if (neighbour == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int fd = open(in_dir("neighbour"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        while (pwrite(fd, "x", 1, 0) == 1)
            ;
        _exit(1);
    }
    const long before = processor_us();
    for (int i = 0; i < 10; i++)
        cr_expect_not(watch_sleep(&watch, 30 * MS));
    const long used = processor_us() - before;
    cr_expect_lt(used, 30000, "of 300 ms: %ld us", used);
    close(open(path, O_RDONLY | O_CLOEXEC));
    cr_expect(watch_sleep(&watch, for_long));
    kill(neighbour, SIGKILL);
    waitpid(neighbour, NULL, 0);
}

Test(watch, a_signal_ends_the_sleep_and_is_no_event)
{
    struct sigaction action = {.sa_handler = nothing};
    struct itimerval soon = {.it_value = {.tv_usec = 50000}};
    watched_file();
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    cr_expect_not(watch_sleep(&watch, for_long));
}

Test(watch, a_file_in_the_working_directory_needs_no_slash)
{
    cr_assert_eq(chdir(unit_dir), 0);
    a_file("file");
    a_file("file-wal");
    watch = watch_none();
    watch_start(&watch, "file");
    unlink("file-wal");
    cr_expect(watch_sleep(&watch, for_long));
    cr_assert_eq(chdir("/"), 0);
}

/* It stays pending, and would end each sleep. What is not as it should be; 0: all is. */
static int be_signalled(void)
{
    const uint64_t term = 1ull << (SIGTERM - 1);
    sys_sigmask(SIG_BLOCK, &term, NULL);
    watch = watch_none();
    watch_signals(&watch, term);
    const uint64_t began = clock_now();
    if (watch_sleep(&watch, 20 * MS) || clock_now() - began < 20 * MS)
        return 1;
    if (kill(getpid(), SIGTERM) != 0 || watch_sleep(&watch, for_long) ||
        clock_now() - began >= for_long)
        return 2;
    const uint64_t again = clock_now();
    return watch_sleep(&watch, 20 * MS) || clock_now() - again < 20 * MS ? 3 : 0;
}

Test(watch, a_signal_that_comes_ends_one_sleep)
{
    cr_expect_eq(in_child(be_signalled), 0);
}
