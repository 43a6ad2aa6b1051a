/* The algorithm: probe, sleep, probe again, until a file or store is settled or the time is up.
 *
 * Opens and closes the store's files: runs where that harms nobody (see probe.h).
 */
#ifndef SETTLE_WAIT_H
#define SETTLE_WAIT_H

#include "probe.h"
#include "profile.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum outcome {
    OUTCOME_SETTLED_AT_ONCE,
    OUTCOME_SETTLED_AFTER_WAITING,
    OUTCOME_TIMED_OUT,
    OUTCOME_UNEXAMINED,
    OUTCOME_GONE,
    OUTCOME_REOPENED, /* the process opened the store again: its close is no longer the last */
};

/* What to wait for, and how. */
struct wait_request {
    char path[PATH_MAX];           /* the file, or the primary of the store */
    struct identity identity;      /* of that file; ino 0: any */
    uint64_t began;                /* ns of sys_now: what elapsed times count from */
    uint64_t deadline;             /* ns of sys_now */
    uint64_t check_interval;       /* ns */
    const struct profile *profile; /* the store's; NULL: a file and its sidecars only */
    unsigned max_collections;      /* 0: all */
    unsigned max_files;            /* 0: all */
    bool name_holder; /* find out who it is on a time-out, which can take milliseconds */
    /* asked between two probes; true ends the wait with OUTCOME_REOPENED. NULL: never */
    bool (*reopened)(const void *context);
    const void *context;
};

struct wait_result {
    enum outcome outcome;
    int error;        /* of OUTCOME_UNEXAMINED: errno's value */
    uint64_t elapsed; /* ns */
    unsigned probes;
    unsigned sleeps;
    unsigned events;      /* wake-ups by an event */
    struct holder holder; /* of OUTCOME_TIMED_OUT */
    char file[PATH_MAX];  /* the file that was held or could not be examined */
    unsigned secondaries; /* secondary files looked at */
    unsigned secondaries_held;
    char secondary[PATH_MAX]; /* one of those that are held */
};

/* The next sleep in ns: a tenth of the time since the wait (or the last event) began, at most
 * check_interval, and never less than 0.2 ms. So the overshoot stays below a tenth of the waiting
 * time. */
uint64_t wait_backoff(uint64_t since_start, uint64_t check_interval);

/* Waits for one file. Fills in *result. */
void wait_file(const struct wait_request *request, struct wait_result *result);

/* Waits for a store: the primary with the whole budget, then its sidecars, then the secondary files
 * with what is left. A sidecar that is held counts as the primary does, since it is part of the
 * database; a secondary that is held is reported and is no failure. */
void wait_store(const struct wait_request *request, struct wait_result *result);

#endif
