/* Locks and closes of several threads: which waits for which, and for how long. */
#include "track/closed.h"

#include "base/clock.h"
#include "unit.h"

#include <pthread.h>

TestSuite(closed, .timeout = 30);

static atomic_int done;

static void *close_without_locks(void *unused)
{
    closed_hold_locks_off();
    atomic_store(&done, 1);
    closed_let_locks();
    return unused;
}

static void *lock(void *unused)
{
    closed_lock_set_out();
    atomic_store(&done, 1);
    closed_lock_arrived();
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

Test(closed, a_lock_waits_for_a_close_that_is_on_its_way)
{
    waits_for(closed_set_out, closed_arrive, lock);
}

Test(closed, a_lock_waits_for_a_close_that_holds_locks_off)
{
    waits_for(closed_hold_locks_off, closed_let_locks, lock);
}

Test(closed, a_close_waits_for_a_lock_that_is_on_its_way)
{
    waits_for(closed_lock_set_out, closed_lock_arrived, close_without_locks);
}

/* One that was left by longjmp. */
Test(closed, neither_waits_for_longer_than_some_milliseconds)
{
    closed_set_out();
    uint64_t began = clock_now();
    closed_lock_set_out();
    closed_hold_locks_off();
    uint64_t took = clock_now() - began;
    cr_expect_geq(took, 20000000);
    cr_expect_lt(took, 1000000000);
    closed_lock_set_out();
    began = clock_now();
    closed_lock_set_out();
    cr_expect_lt(clock_now() - began, 10000000, "they are forgotten");
}
