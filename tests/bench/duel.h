/* What duel, waiter and holders tell each other. */
#ifndef BENCH_DUEL_H
#define BENCH_DUEL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Descriptors of the waiter. */
enum {
    FROM_DUEL = 3, /* struct order, and a byte that says: wait now */
    TO_DUEL = 4,   /* a byte that says: ready; struct answer */
    TO_HOLDER = 5, /* a byte that says: the wait has begun */
};

struct order {
    uint64_t bound; /* ns after which a wait that knows no end is ended */
    bool processor; /* whether processor time counts, which takes some patience */
    char path[PATH_MAX];
};

struct answer {
    uint64_t began; /* of the wait; these are nanoseconds of CLOCK_MONOTONIC */
    uint64_t returned;
    uint64_t processor; /* time of the waiter and all its descendants; 0 if not asked for */
    bool gave_up;       /* the bound ended it */
};

/* A process that holds the file; it says by a byte that it does, holds it for `hold` nanoseconds
 * after a byte has come, lets go of it, and writes when it did. Then it stays until it is killed.
 */
struct holding {
    const char *path;
    uint64_t hold;
    int ready;
    int go;
    int released;
};

struct holder_kind {
    const char *name;
    void (*run)(const struct holding *);
    bool flock; /* to ask for, where fcntl sees nothing */
};
extern const struct holder_kind holder_kinds[]; /* ends with a name of NULL */

/* Makes the holder; -1 with errno. */
pid_t holder_start(const struct holder_kind *kind, const struct holding *holding);

#endif
