/* Whose a descriptor on a store's file is: its engine's, or the program's that copies, uploads or
 * polls (handle.h). It is told by facts, of which there are more and more while it is open.
 *
 * Everything here is a function of its arguments alone: safe in threads and in signal handlers.
 */
#ifndef SETTLE_KIND_H
#define SETTLE_KIND_H

#include "config/profile.h"

#include <stdbool.h>
#include <stdint.h>

enum kind {
    KIND_READER,   /* only reads or makes a copy, and took no lock: counts for no close */
    KIND_PRESUMED, /* counts as the engine's for as long as none was seen */
    KIND_ENGINE,
};

/* What tells the kind of a handle; bits. */
enum fact {
    FACT_WRITES = 1 << 0,        /* opened for writing */
    FACT_NOFOLLOW = 1 << 1,      /* with O_NOFOLLOW */
    FACT_CLOEXEC = 1 << 2,       /* with O_CLOEXEC */
    FACT_IN_SQLITE = 1 << 3,     /* inside a hooked sqlite3_* */
    FACT_SQLITE_LOCK = 1 << 4,   /* a lock as SQLite takes them was taken through it */
    FACT_LOCK = 1 << 5,          /* a lock of any kind was */
    FACT_SHARED = 1 << 6,        /* another number or process may have its description */
    FACT_EXCLUSIVE = 1 << 7,     /* FACT_LOCK, and it was an exclusive one */
    FACT_INCLUSIVE = 1 << 8,     /* FACT_LOCK, and it was a shared one */
    FACT_REFUSED = 1 << 9,       /* a lock was asked for through it, and somebody else has it */
    FACT_FLOCK = 1 << 10,        /* flock was called through it */
    FACT_LACKS_BESIDE = 1 << 11, /* a candidate by its name alone (profile.beside) */
    FACT_COPIES = 1 << 12,       /* write-only, in a process whose engine had been seen */
    FACT_TIME = 13,              /* from this bit on: when it was opened, by keep_time */
};

/* profile: NULL for a candidate, which counts once it is promoted. */
enum kind kind_by(const struct profile *profile, enum role role, unsigned facts);

/* Whether the facts are those of SQLite's own opens and locks. */
bool kind_tells_engine(unsigned facts);

/* The way in which it was opened, as a bit of a set (store.manners). */
uint32_t kind_manner(unsigned facts);

#endif
