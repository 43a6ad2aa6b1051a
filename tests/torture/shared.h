/* What the workers of the torture tell its inspector, in a file that all of them map: who is inside
 * a transaction, and how often what was done.
 *
 * A thread's turn is odd while it is inside. The inspector reads the turn, asks the kernel for the
 * locks, and reads the turn again: where it is still the same odd number, the thread has been
 * inside all the time, and the locks had to be there.
 */
#ifndef TORTURE_SHARED_H
#define TORTURE_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { PROCESSES = 32, THREADS = 4 };

/* forks: of children that close what they inherited, and of commands. kills_inside: those in the
 * middle of a transaction. checks: of the locks of a thread inside a transaction; checks_probed:
 * while a helper thread of the library ran in that process. errors: of SQLite, and what readers
 * found wrong. */
#define COUNTERS(COUNTER)                                                                          \
    COUNTER(opens)                                                                                 \
    COUNTER(closes)                                                                                \
    COUNTER(commits)                                                                               \
    COUNTER(rollbacks)                                                                             \
    COUNTER(reads)                                                                                 \
    COUNTER(forks)                                                                                 \
    COUNTER(kills)                                                                                 \
    COUNTER(kills_inside)                                                                          \
    COUNTER(killed_threads)                                                                        \
    COUNTER(checks)                                                                                \
    COUNTER(checks_probed)                                                                         \
    COUNTER(dropped)                                                                               \
    COUNTER(errors)

enum counter {
#define NUMBER(name) COUNT_##name,
    COUNTERS(NUMBER)
#undef NUMBER
        COUNTER_COUNT
};

struct thread_slot {
    _Atomic uint64_t turn;
    atomic_bool writes; /* this turn */
};

struct process_slot {
    _Atomic int pid;
    _Atomic int threads; /* that the program has */
    atomic_bool doomed;  /* about to be killed: its locks mean nothing any more */
    struct thread_slot slots[THREADS];
};

struct shared {
    atomic_bool stopping;
    _Atomic uint64_t writers; /* names given to writing threads so far */
    _Atomic uint64_t counters[COUNTER_COUNT];
    struct process_slot processes[PROCESSES];
};

/* Maps the file; makes it first if it is not there. Ends the program where it cannot. */
struct shared *shared_map(const char *path);

static inline void count(struct shared *shared, enum counter counter)
{
    atomic_fetch_add(&shared->counters[counter], 1);
}

static inline bool is_inside(uint64_t turn)
{
    return turn % 2 == 1;
}

#endif
