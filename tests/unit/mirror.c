/* The books of another process, read from /proc as the supervisor does: which of its closes is the
 * last. */
#include "supervise/mirror.h"

#include "base/clock.h"
#include "supervise/peek.h"
#include "track/begin.h"
#include "track/closed.h"
#include "track/process.h"
#include "unit.h"

#include <pthread.h>
#include <sys/inotify.h>

/* Descriptors of the process whose books these are. */
enum { A = 100, B, C };

static struct settings settings;
static struct departure departures[DEPARTURES];
static char primary[PATH_MAX];
static pid_t process;
static int directory;

static void begin(void)
{
    dir_begin();
    strcpy(primary, a_file("chroma.sqlite3"));
    settings_set_defaults(&settings);
    process_start(pthread_self, pthread_getcpuclockid);
    begin_books(&settings);
    peek_start(&settings);
}

static void end(void)
{
    if (process > 0)
        kill(process, SIGKILL);
    dir_end();
}

TestSuite(mirror, .init = begin, .fini = end, .timeout = 20);

/* --- the process --- */

static void open_as(int fd, int flags)
{
    const int got = open(primary, flags | O_CLOEXEC);
    if (got < 0 || dup3(got, fd, O_CLOEXEC) < 0 || close(got) < 0)
        _exit(1);
}

static void live_with(void prepare(void))
{
    int ends[2];
    char byte;
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    process = fork();
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prepare();
        if (write(ends[1], "", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    directory = peek_directory(process);
    mirror_start(process);
}

static int take(int first, int last)
{
    return mirror_take(process, directory, first, last, departures);
}

/* --- which close is the last --- */

static void with_a_duplicate(void)
{
    open_as(A, O_RDWR | O_NOFOLLOW);
    dup3(A, B, O_CLOEXEC);
}

Test(mirror, the_last_handle_of_a_store_waits)
{
    live_with(with_a_duplicate);
    cr_expect_eq(take(A, A), 1);
    cr_expect_not(departures[0].waits, "there is another one");
    cr_expect_eq(departures[0].fd, A);
    cr_expect_eq(take(B, B), 1);
    cr_expect(departures[0].waits);
    cr_expect_str_eq(departures[0].path, primary);
}

Test(mirror, what_is_being_closed_counts_as_closed_until_it_is_told_otherwise)
{
    live_with(with_a_duplicate);
    cr_expect_eq(take(A, A), 1);
    mirror_gone(departures, 1); /* it has not been closed: it is there at the next look */
    cr_expect_eq(take(B, B), 1);
    cr_expect_not(departures[0].waits);
}

static void with_three(void)
{
    for (int fd = A; fd <= C; fd++)
        open_as(fd, O_RDWR | O_NOFOLLOW);
}

Test(mirror, of_a_range_only_the_last_one_waits)
{
    live_with(with_three);
    cr_expect_eq(take(0, INT_MAX), 3);
    cr_expect_not(departures[0].waits);
    cr_expect_not(departures[1].waits);
    cr_expect(departures[2].waits);
}

static void with_many(void)
{
    for (int fd = A; fd < A + 3 * DEPARTURES; fd++)
        open_as(fd, O_RDWR | O_NOFOLLOW);
}

/* The last one of the store is far behind those that there is room for. */
Test(mirror, who_waits_has_a_place_before_who_does_not)
{
    unsigned waiting = 0;
    live_with(with_many);
    cr_expect_eq(take(0, INT_MAX), DEPARTURES);
    for (int i = 0; i < DEPARTURES; i++) {
        const bool is_last = departures[i].fd == A + 3 * DEPARTURES - 1;
        cr_expect_eq(departures[i].waits, is_last, "%d", departures[i].fd);
        cr_expect(is_last || departures[i].fd < A + DEPARTURES, "%d", departures[i].fd);
        waiting += departures[i].waits;
    }
    cr_expect_eq(waiting, 1);
    mirror_gone(departures, DEPARTURES); /* they have not been closed */
    cr_expect_eq(take(A + 3 * DEPARTURES - 1, INT_MAX), 1);
    cr_expect_eq(take(A, A + DEPARTURES - 1), DEPARTURES);
    for (int i = 0; i < DEPARTURES; i++)
        cr_expect_not(departures[i].waits, "those that had no place are open");
}

static void with_many_stores(void)
{
    for (int i = 0; i < DEPARTURES + 3; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%d", unit_dir, i);
        if (mkdir(path, 0755) != 0)
            _exit(1);
        snprintf(path, sizeof path, "%s/%d/chroma.sqlite3", unit_dir, i);
        const int got = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (got < 0 || dup3(got, A + i, O_CLOEXEC) < 0 || close(got) < 0)
            _exit(1);
    }
}

Test(mirror, there_are_not_more_departures_than_there_is_room)
{
    live_with(with_many_stores);
    cr_expect_eq(take(0, INT_MAX), DEPARTURES);
    for (int i = 0; i < DEPARTURES; i++)
        cr_expect(departures[i].waits, "%d", departures[i].fd);
    cr_expect_eq(closed_unfinished(), DEPARTURES, "closes that are under way");
}

static char other_primary[PATH_MAX];

static void with_another_store(void)
{
    open_as(A, O_RDWR | O_NOFOLLOW);
    dup3(A, B, O_CLOEXEC);
    if (mkdir(in_dir("other"), 0755) != 0)
        _exit(1);
    const int got = open(other_primary, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (got < 0 || dup3(got, C, O_CLOEXEC) < 0 || close(got) < 0)
        _exit(1);
}

static bool was_opened(int watch)
{
    char event[4096];
    return read(watch, event, sizeof event) > 0;
}

static int watch_opens(const char *path)
{
    const int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    cr_assert_geq(inotify_add_watch(watch, path, IN_OPEN), 0);
    return watch;
}

/* A thousand that are closed one after the other would be looked at a million times. */
Test(mirror, what_is_known_of_another_store_is_not_looked_at_again)
{
    snprintf(other_primary, sizeof other_primary, "%s/chroma.sqlite3", in_dir("other"));
    live_with(with_another_store);
    cr_expect_eq(take(B, B), 1);
    const int own_watch = watch_opens(primary);
    const int other_watch = watch_opens(other_primary);
    cr_expect_eq(take(A, A), 1);
    cr_expect(departures[0].waits);
    cr_expect(was_opened(own_watch), "nothing is seen: nothing was tested");
    cr_expect_not(was_opened(other_watch));
    cr_expect_eq(take(C, C), 1);
    cr_expect(departures[0].waits, "it was in the books");
}

static void with_a_reader(void)
{
    open_as(A, O_RDONLY);
}

Test(mirror, who_only_reads_does_not_wait)
{
    live_with(with_a_reader);
    const int count = take(A, A);
    cr_expect(count == 0 || !departures[0].waits);
}

static void with_nothing_of_its_own(void)
{
}

Test(mirror, what_was_inherited_is_no_handle)
{
    open_as(A, O_RDWR | O_NOFOLLOW);
    live_with(with_nothing_of_its_own);
    cr_expect_eq(take(A, A), 0);
}

static void with_its_own_in_the_same_place(void)
{
    open_as(A, O_RDWR | O_NOFOLLOW);
}

Test(mirror, its_own_by_the_number_of_an_inherited_one_is_a_handle)
{
    open_as(A, O_RDWR | O_NOFOLLOW);
    live_with(with_its_own_in_the_same_place);
    cr_expect_eq(take(A, A), 1);
    cr_expect(departures[0].waits);
}

/* --- locks --- */

static void lock_it(int number)
{
    (void)number;
    flock(A, LOCK_SH);
}

static void with_a_reader_that_locks_later(void)
{
    open_as(A, O_RDONLY);
    open_as(B, O_RDWR);
    signal(SIGUSR1, lock_it);
}

Test(mirror, a_lock_that_came_after_it_was_entered_is_seen_at_its_close)
{
    live_with(with_a_reader_that_locks_later);
    cr_expect_eq(take(B, B), 1);
    cr_expect(departures[0].waits, "who only reads does not count");
    kill(process, SIGUSR1);
    const int other = open(primary, O_RDWR | O_CLOEXEC);
    for (int n = 0; flock(other, LOCK_EX | LOCK_NB) == 0; n++) {
        cr_assert_lt(n, 5000, "it has not locked");
        flock(other, LOCK_UN);
        usleep(1000);
    }
    cr_expect_eq(take(A, A), 1);
    cr_expect(departures[0].waits, "who has a lock counts");
}

Test(mirror, a_file_that_nobody_has_a_lock_on_is_free)
{
    live_with(with_its_own_in_the_same_place);
    cr_expect_eq(take(A, A), 1);
    cr_expect(departures[0].free);
    cr_expect_not(departures[0].has_lock);
    const int other = open(primary, O_RDWR | O_CLOEXEC);
    cr_expect_eq(flock(other, LOCK_EX | LOCK_NB), 0, "the question has left its flock");
}

static void with_a_flock(void)
{
    open_as(A, O_RDWR | O_NOFOLLOW);
    flock(A, LOCK_SH);
}

/* As bbolt closes what it has only read. */
Test(mirror, a_flock_of_its_own_is_in_the_way_until_it_is_closed)
{
    live_with(with_a_flock);
    cr_expect_eq(take(A, A), 1);
    cr_expect(departures[0].has_lock);
    cr_expect_not(departures[0].free);
    cr_expect_not(mirror_is_free(&departures[0]));
    kill(process, SIGKILL);
    waitpid(process, NULL, 0);
    cr_expect(mirror_is_free(&departures[0]));
    const int other = open(primary, O_RDWR | O_CLOEXEC);
    cr_assert_eq(flock(other, LOCK_SH), 0);
    cr_expect_not(mirror_is_free(&departures[0]), "another reader has one");
}

static void with_sidecars(void)
{
    open_as(A, O_RDWR | O_NOFOLLOW);
    close(open(in_dir("chroma.sqlite3-wal"), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
}

/* Nor is a flock left to whoever asks next. */
Test(mirror, where_something_lies_beside_it_more_is_to_be_asked)
{
    live_with(with_sidecars);
    cr_expect_eq(take(A, A), 1);
    cr_expect_not(departures[0].free);
    const int other = open(primary, O_RDWR | O_CLOEXEC);
    cr_expect_eq(flock(other, LOCK_EX | LOCK_NB), 0);
}

/* --- and then --- */

Test(mirror, it_is_seen_when_the_kernel_has_closed_it)
{
    live_with(with_its_own_in_the_same_place);
    cr_expect_eq(take(A, A), 1);
    cr_expect(mirror_still_open(directory, &departures[0]));
    kill(process, SIGKILL);
    waitpid(process, NULL, 0);
    cr_expect_not(mirror_still_open(directory, &departures[0]));
    cr_expect_not(mirror_other_threads());
}

static void *idle(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void with_a_thread(void)
{
    pthread_t other;
    if (pthread_create(&other, NULL, idle, NULL) != 0)
        _exit(1);
}

Test(mirror, its_other_threads_are_seen)
{
    live_with(with_a_thread);
    cr_expect(mirror_other_threads());
}
