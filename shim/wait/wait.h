/* The algorithm: probe, sleep, probe again, until a file or store is settled or the time is up.
 *
 * Opens and closes the store's files: runs where that harms nobody (see probe.h).
 */
#ifndef SETTLE_WAIT_H
#define SETTLE_WAIT_H

#include "config/profile.h"
#include "wait/probe.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum outcome {
    OUTCOME_SETTLED_AT_ONCE,
    OUTCOME_SETTLED_AFTER_WAITING,
    OUTCOME_TIMED_OUT,
    OUTCOME_UNEXAMINED,
    OUTCOME_GONE,
    OUTCOME_HANDED_OVER, /* whoever holds it came after this process (wait_request.alone) */
    OUTCOME_REOPENED,    /* the process uses the store itself again (wait_request.reopened) */
};

/* What to wait for, and how. */
struct wait_request {
    char path[PATH_MAX];      /* the file, or the primary of the store */
    struct identity identity; /* of that file; ino 0: any */
    bool fresh;               /* the path was that of a regular file a moment ago */
    uint64_t began;           /* ns of clock_now: what elapsed times count from */
    uint64_t deadline;        /* ns of clock_now */
    uint64_t max_wait;        /* ns: what was asked for; `deadline` may give less */
    uint64_t check_interval;  /* ns */
    enum until until;         /* the level */
    bool frames;              /* once settled, look for frames that are in the -wal alone */
    bool asked;      /* the file has just been found settled: what lies beside it is left */
    bool alone;      /* the process had it to itself until it closed it (profile.exclusive) */
    bool writers;    /* of UNTIL_UNLOCKED only record locks that write count */
    bool no_dotfile; /* nor any dot-file: its engine has none */
    const struct profile *profile; /* the store's; NULL: a file, and what SQLite keeps beside it */
    unsigned max_collections;      /* 0: all */
    unsigned max_files;            /* 0: all */
    /* where to put the holders on a time-out, which takes milliseconds; NULL: nowhere */
    struct holders *holders;
    /* told, in the midst of the wait, whom the kernel names as the holder, once the wait has lasted
     * wait_lasts and when another is named since; must return at once. NULL: nobody is */
    void (*lasting)(void *naming, const struct holder *seen);
    void *naming;
    /* asked between two probes; true ends the wait with OUTCOME_REOPENED. NULL: never */
    bool (*reopened)(const void *context);
    const void *context;
    uint64_t signals; /* a set: one that comes has `reopened` asked at once; 0: none */
    /* asked after each question that finds the primary held, once `enough` (clock_now) is past:
     * whether more of it would be in vain; true ends the wait as its deadline does. NULL: never */
    bool (*in_vain)(void *asker, const struct probe *probe);
    void *asker;
    uint64_t enough;
};

/* Room for the holders of one wait: as many as a line of the log or record tells. */
struct wait_holders {
    struct holders found;
    struct holder list[16];
};

/* Has a wait find out the holders, into that room. */
void wait_name_holders(struct wait_request *request, struct wait_holders *room);

struct wait_result {
    enum outcome outcome;
    int error;          /* of OUTCOME_UNEXAMINED: errno's value, */
    const char *reason; /* and why, where that does not say it; else NULL */
    bool given_up;      /* of OUTCOME_TIMED_OUT: before the deadline, as in vain */
    bool unchanged;     /* likewise: one and the same lock was named each time */
    bool remote;        /* the file lies on another host, whose opens are not seen from here */
    uint64_t elapsed;   /* ns: the one reading of the clock at its end */
    unsigned probes;
    unsigned sleeps;
    unsigned events;      /* wake-ups by an event */
    struct holder holder; /* of OUTCOME_TIMED_OUT: the first of them; else, where the request has
                             `lasting`, the last one that the kernel named while it waited */
    long frames;          /* that are in the -wal alone, though nobody has the database open */
    unsigned secondaries; /* secondary files looked at */
    unsigned secondaries_held;
    /* Last, so that what begins a result need not fill them with zeros. */
    char file[PATH_MAX];      /* the file that was held or could not be examined */
    char secondary[PATH_MAX]; /* one of the secondary files that are held */
};

/* How long a wait goes on before it is worth the trouble to find out who holds the file. */
extern const uint64_t wait_lasts;

/* The longest time for which holders are looked for, but for the process that is being looked into
 * when it ends. */
extern const uint64_t wait_naming_limit;

/* Waits for one file. Fills in *result. */
void wait_file(const struct wait_request *request, struct wait_result *result);

/* Waits for a store: the primary with the whole budget, then its sidecars, then the secondary files
 * with what is left. A sidecar that is held counts as the primary does, since it is part of the
 * database; a secondary that is held is reported and is no failure. */
void wait_store(const struct wait_request *request, struct wait_result *result);

#endif
