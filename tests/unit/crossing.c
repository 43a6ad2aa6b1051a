/* Locks and closes of several threads: which waits for which, and for how long. */
#include "track/crossing.h"

#include "track/books.h"
#include "unit.h"

#include <pthread.h>
#include <sys/resource.h>

TestSuite(crossing, .timeout = 30);

enum { A_FILE = 1000, ANOTHER = 1001 };

static atomic_int done;

static void close_begins(void)
{
    crossing_close_begins(A_FILE);
}

static void close_ends(void)
{
    crossing_close_ends(A_FILE);
}

static void hold_locks(void)
{
    crossing_hold_locks(A_FILE);
}

static void let_locks(void)
{
    crossing_let_locks(A_FILE);
}

static void lock_begins(void)
{
    crossing_lock_begins(A_FILE);
}

static void lock_ends(void)
{
    crossing_lock_ends(A_FILE);
}

static void *close_without_locks(void *unused)
{
    crossing_hold_locks(A_FILE);
    atomic_store(&done, 1);
    crossing_let_locks(A_FILE);
    return unused;
}

static void *lock(void *unused)
{
    crossing_lock_begins(A_FILE);
    atomic_store(&done, 1);
    crossing_lock_ends(A_FILE);
    return unused;
}

/* A thousand times, since the other thread may not have begun yet when it is looked for; and this
 * one may lose the processor for longer than the other's patience. */
static void waits_for(void (*set_out)(void), void (*arrive)(void), void *(*other)(void *))
{
    unsigned early = 0;
    for (int i = 0; i < 1000; i++) {
        pthread_t thread;
        atomic_store(&done, 0);
        uint64_t began = clock_now();
        set_out();
        cr_assert_eq(pthread_create(&thread, NULL, other, NULL), 0);
        for (int spins = 0; spins < 2000; spins++)
            early += atomic_load(&done) != 0 && clock_now() - began < 5000000;
        arrive();
        pthread_join(thread, NULL);
    }
    cr_expect_eq(early, 0);
}

Test(crossing, a_lock_waits_for_a_close_that_is_on_its_way)
{
    waits_for(close_begins, close_ends, lock);
}

Test(crossing, a_lock_waits_for_a_close_that_holds_locks_off)
{
    waits_for(hold_locks, let_locks, lock);
}

Test(crossing, a_lock_waits_for_who_holds_off_all_locks)
{
    waits_for(crossing_hold_all_locks, crossing_let_all_locks, lock);
}

Test(crossing, a_close_waits_for_a_lock_that_is_on_its_way)
{
    waits_for(lock_begins, lock_ends, close_without_locks);
}

static void *close_without_any_locks(void *unused)
{
    crossing_hold_all_locks();
    atomic_store(&done, 1);
    crossing_let_all_locks();
    return unused;
}

Test(crossing, who_holds_off_all_locks_waits_for_one)
{
    waits_for(lock_begins, lock_ends, close_without_any_locks);
}

/* Among many threads there is always one in the middle of a close or a lock. */
Test(crossing, what_happens_to_other_files_is_not_waited_for)
{
    crossing_close_begins(ANOTHER);
    crossing_hold_locks(ANOTHER);
    crossing_lock_begins(A_FILE);
    crossing_lock_ends(A_FILE);
    crossing_hold_locks(A_FILE);
    unsigned closes = 0;
    for (int i = 0; i < CROSSINGS; i++)
        closes += atomic_load(&BOOKS.crossings.files[i].closes);
    cr_expect_eq(closes, 1u, "the other's was not forgotten after its time");
}

/* One that was left by longjmp. */
Test(crossing, neither_waits_for_longer_than_a_second)
{
    crossing_close_begins(A_FILE);
    uint64_t began = clock_now();
    crossing_lock_begins(A_FILE);
    uint64_t took = clock_now() - began;
    cr_expect_geq(took, 1000 * (uint64_t)MS);
    cr_expect_lt(took, 10000 * (uint64_t)MS);
    began = clock_now();
    crossing_hold_locks(A_FILE);
    took = clock_now() - began;
    cr_expect_geq(took, 1000 * (uint64_t)MS);
    cr_expect_lt(took, 10000 * (uint64_t)MS);
    crossing_let_locks(A_FILE);
    took = UINT64_MAX;
    for (int i = 0; i < 5; i++) { /* and may lose the processor */
        began = clock_now();
        crossing_lock_begins(A_FILE);
        const uint64_t this_time = clock_now() - began;
        took = this_time < took ? this_time : took;
    }
    cr_expect_lt(took, 10000000, "they are forgotten");
}

/* Closes that come one after the other, each of them left, are not waited for one by one. */
Test(crossing, a_lock_waits_no_longer_for_many)
{
    crossing_close_begins(A_FILE);
    crossing_hold_locks(A_FILE);
    crossing_hold_all_locks();
    const uint64_t began = clock_now();
    crossing_lock_begins(A_FILE);
    cr_expect_lt(clock_now() - began, 1900 * (uint64_t)MS);
}

/* With the close on its way, and so short of the processor that it stands still. */
static int stop_between(void)
{
    pthread_t thread;
    atomic_store(&done, 0);
    crossing_close_begins(A_FILE);
    if (pthread_create(&thread, NULL, lock, NULL) != 0)
        return 2;
    usleep(10000);
    raise(SIGSTOP);
    usleep(50000);
    const int early = atomic_load(&done);
    crossing_close_ends(A_FILE);
    pthread_join(thread, NULL);
    return early;
}

Test(crossing, a_lock_waits_for_a_close_that_was_stopped_with_it)
{
    int status;
    const pid_t child = fork();
    if (child == 0)
        _exit(stop_between());
    cr_assert_eq(waitpid(child, &status, WUNTRACED), child);
    cr_assert(WIFSTOPPED(status));
    usleep(1500000);
    cr_assert_eq(kill(child, SIGCONT), 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect_eq(status, 0);
}

/* Else a thread of real-time priority would keep the close from the processor that the two share. A
 * thread that has slept has given it away of its own will (getrusage(2)). */
Test(crossing, a_lock_that_waits_leaves_the_processor_to_the_close)
{
    struct rusage before, after;
    cr_assert_eq(getrusage(RUSAGE_THREAD, &before), 0);
    crossing_close_begins(A_FILE);
    crossing_lock_begins(A_FILE);
    cr_assert_eq(getrusage(RUSAGE_THREAD, &after), 0);
    cr_expect_gt(after.ru_nvcsw - before.ru_nvcsw, 20);
}
