/* Waiting for another thread that is in the middle of something: for how long, and at what price.
 */
#include "base/patience.h"

#include "unit.h"

#include <sys/resource.h>

TestSuite(patience, .timeout = 60);

static void wait_to_the_end(void)
{
    struct patience patience = {0};
    while (patience_wait(&patience))
        ;
}

Test(patience, ends_after_a_second_and_stays_ended)
{
    struct patience patience = {0};
    const uint64_t began = clock_now();
    while (patience_wait(&patience))
        ;
    cr_expect_geq(clock_now() - began, 1000 * (uint64_t)MS);
    for (int i = 0; i < 100; i++)
        cr_expect_not(patience_wait(&patience));
}

/* Else a thread of real-time priority would keep the one that it waits for from its processor. A
 * thread that has slept has given it away of its own will (getrusage(2)). */
Test(patience, leaves_the_processor_to_the_other)
{
    struct rusage before, after;
    cr_assert_eq(getrusage(RUSAGE_THREAD, &before), 0);
    wait_to_the_end();
    cr_assert_eq(getrusage(RUSAGE_THREAD, &after), 0);
    cr_expect_geq(after.ru_nvcsw - before.ru_nvcsw, 500);
}

static unsigned looks_before_the_first_sleep(void)
{
    struct patience patience = {0};
    unsigned looks = 0;
    for (; patience.sleeps == 0; looks++)
        patience_wait(&patience);
    return looks;
}

/* Who is done after some microseconds is not kept waiting for by a sleep. */
Test(patience, looks_again_at_once_at_first)
{
    unsigned most = 0;
    for (int i = 0; i < 50 && most < 10; i++) { /* and may lose the processor */
        const unsigned looks = looks_before_the_first_sleep();
        most = looks > most ? looks : most;
    }
    cr_expect_geq(most, 10u);
}

/* A container that has used up its share of the processors stands still likewise. */
Test(patience, does_not_end_while_all_threads_stood_still)
{
    int ready[2];
    int status;
    cr_assert_eq(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        struct patience patience = {0};
        patience_wait(&patience);
        (void)!write(ready[1], "", 1);
        while (patience_wait(&patience))
            ;
        _exit(0);
    }
    char byte;
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    cr_assert_eq(kill(child, SIGSTOP), 0);
    cr_assert_eq(waitpid(child, &status, WUNTRACED), child);
    usleep(1200000);
    const uint64_t began = clock_now();
    cr_assert_eq(kill(child, SIGCONT), 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect_eq(status, 0);
    cr_expect_gt(clock_now() - began, 300 * (uint64_t)MS);
}
