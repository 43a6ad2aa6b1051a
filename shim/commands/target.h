/* A store or file that settle-wait was asked about: where it is, what became of it, who holds it.
 */
#ifndef SETTLE_TARGET_H
#define SETTLE_TARGET_H

#include "base/text.h"
#include "config/settings.h"
#include "wait/wait.h"

#include <stdbool.h>

enum status { STATUS_SETTLED = 0, STATUS_HELD = 1, STATUS_USAGE = 2, STATUS_UNEXAMINED = 3 };

/* What became of a copy. */
struct target_copy {
    bool made;
    char path[PATH_MAX];
    uint64_t bytes;
    uint64_t hold;  /* ns for which writers were kept out */
    const char *by; /* copied_by_names: the slowest way that was needed */
};

struct target {
    const char *given;           /* as on the command line */
    bool located;                /* request.path is the file, or the primary of the store */
    bool waits;                  /* it is waited for */
    bool unnamed;                /* of STATUS_HELD: SQLite said so, which names nobody */
    char reason[PATH_MAX + 256]; /* of STATUS_UNEXAMINED: why; else what is no holder's doing */
    enum status status;
    struct wait_request request;
    const struct rule *rule; /* what the request obeys */
    uint64_t deadline;       /* clock_now */
    struct wait_result result;
    struct holders holders; /* of STATUS_HELD, and where they were asked for */
    long frames;            /* in the -wal only; -1: it cannot be read */
    bool hot_journal;       /* a crash cut a transaction off, and SQLite is to roll it back */
    bool folded;            /* both have been done */
    bool not_sqlite;        /* nor could they be: a file by name that is no database of SQLite's */
    struct target_copy copy;
};

/* Memory for n targets that a child shares; NULL if there is none. */
struct target *targets_new(unsigned n);

/* Its reason, to be written anew; and what became of it. The second returns false. */
struct text target_why(struct target *t);
bool target_fails(struct target *t, enum status status);

/* Finds the file, or the primary in a directory. On failure reason says why. */
void target_locate(struct target *t, const char *given);

/* Sets what its wait obeys, and when that ends. */
void target_obey(struct target *t, const struct settings *settings, const struct rule *rule,
                 uint64_t began);

/* Waits until a time (clock_now); one that is past makes it one look. Sets result and status. */
void target_wait(struct target *t, uint64_t deadline);

/* Finds out who holds it, beyond what the wait has found. */
void target_name_holders(struct target *t);

/* Looks for what keeps the main file alone from being the whole database: frames that are in the
 * -wal only, a hot journal. */
void target_look_beside(struct target *t);

/* Has SQLite fold it in, if it is settled. */
void target_checkpoint(struct target *t);

#endif
