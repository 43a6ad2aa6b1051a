/* What the race programs share: threads that start together, and checks that end the program.
 *
 * They are built with ThreadSanitizer, under which Criterion's runner does not run; hence programs
 * with a main of their own, which end with 0 or say what was wrong.
 *
 * What is seen: every access of the library's C code to memory, from several threads at once, and
 * whether two of them are in order by the atomics between them. What is not: the helper thread,
 * since a raw clone has no thread-local storage, where ThreadSanitizer keeps its books; helper.c
 * here stands in for it with a thread of libc's, so that what the helper does is seen, but not how
 * it is made and how it ends (tests/unit/helper.c). Nor what the kernel reads and writes (raw
 * system calls), the assembly, and signal handlers that interrupt one of these functions.
 */
#ifndef SETTLE_RACE_H
#define SETTLE_RACE_H

#include "base/clock.h"
#include "base/sys.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { RACERS = 4 };

#define CHECK(right)                                                                               \
    do {                                                                                           \
        if (!(right)) {                                                                            \
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__, #right);      \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* How often the stand-in for the helper ran. */
extern _Atomic unsigned helpers_run;

static uint64_t race_ends;

static inline bool going_on(void)
{
    return clock_now() < race_ends;
}

/* Runs body in RACERS threads, numbered from 0 on, which go on for a fixed time; returns when all
 * have ended. */
static inline void race(void *(*body)(void *number))
{
    static unsigned numbers[RACERS];
    const uint64_t duration = 400000000;
    pthread_t threads[RACERS];
    race_ends = clock_now() + duration;
    for (unsigned i = 0; i < RACERS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, body, &numbers[i]) == 0);
    }
    for (unsigned i = 0; i < RACERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

/* All racers leave it together, and with the same answer: whether there is time for another round.
 * It spins, so that they are as close as can be; and it is relaxed, so that it orders nothing: the
 * races that it is there for must not be hidden by the meeting itself. */
static inline bool meet(void)
{
    static _Atomic unsigned arrived;
    static _Atomic unsigned meetings; /* times two, and whether the time is up */
    unsigned before = atomic_load_explicit(&meetings, memory_order_relaxed) / 2;
    unsigned earlier = atomic_fetch_add_explicit(&arrived, 1, memory_order_relaxed);
    if (earlier % RACERS == RACERS - 1)
        atomic_store_explicit(&meetings, (before + 1) * 2 + !going_on(), memory_order_relaxed);
    unsigned now;
    while ((now = atomic_load_explicit(&meetings, memory_order_relaxed)) / 2 == before)
        sched_yield();
    return now % 2 == 0;
}

/* A number below `most`, from a state of the caller's own. */
static inline unsigned dice(uint64_t *state, unsigned most)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 33) % most;
}

#endif
