/* The registry of stores: those of which this process has files open, and those that its engine
 * had open, for as long as there is room: what the program does with their files is a use.
 *
 * Nothing here takes a lock, and nothing allocates on a close: a close can come from a signal
 * handler that interrupted any of these functions.
 */
#ifndef SETTLE_STORE_H
#define SETTLE_STORE_H

#include "base/identity.h"
#include "config/profile.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A store that has handles now, or had. Records that nobody uses are used again, those of an engine
 * last. What the record is of is written by whoever claims it, between the claim and the first pin,
 * and read by those who have it pinned; a search reads it without, and looks again once it has the
 * pin. */
struct store {
    /* Users of this record; 0: free, but what it is of holds until it is claimed; STORE_CLAIMED:
     * changing hands. Raised from 0 by store_acquire, and by the searches where an engine was seen.
     */
    _Atomic uint32_t pins;
    /* Closes of its connections on other threads, until the end of their wait, and when the last of
     * them began: closed.c. One that was left by longjmp never ends. */
    _Atomic uint32_t closing;
    _Atomic uint64_t closing_since;
    /* Open handles of this process on any of its files, by kind (handle.h); and, in the same word
     * so that all change together, two flags:
     *   STORE_OPENED  a handle on the primary that counts was open since there was none last;
     *   STORE_ENGINE  an engine was seen, which stays.
     * Changed by handle.c, by compare-and-swap. */
    _Atomic uint64_t handles;
    /* What POSIX locks the engine has on its files: changed by locks.c, by compare-and-swap. */
    _Atomic uint64_t locks;
    _Atomic uint64_t shm; /* inode of the -shm that they are of; 0: none was locked */
    _Atomic uint64_t dev; /* of the primary */
    _Atomic uint64_t ino;
    _Atomic uint64_t directory_dev; /* of the directory that it lies in, when it was opened */
    _Atomic uint64_t directory_ino; /* 0: unknown */
    /* ns of clock_now: when a connection of the engine went away; 0: one was opened since. Both
     * written by handle.c, as is the number of opens. */
    _Atomic uint64_t fell;
    _Atomic uint32_t opens;
    _Atomic uint32_t state; /* of enum store_state: see there */
    /* By which flags the engine opens the primary, where only its locks told it: handle.c, bits
     * that are only ever added. */
    _Atomic uint32_t manners;
    _Atomic int locker; /* the descriptor by which it locked the primary last: locks.c */
    const struct profile *_Atomic profile;
    _Atomic uint32_t connections; /* live SQLite connections on it: changed by connection.c */
    _Atomic uint32_t waited;      /* waits for it that have begun: raised by block.c */
    _Atomic uint32_t awaited;     /* closes that wait for its last handle to go: connection.c */
    _Atomic uint32_t rule;        /* rules_find, when it was opened */
    char *_Atomic path;           /* of the primary, absolute; "" if it could not be determined */
    uint32_t path_room;           /* of the record for good, whatever store it is of */
};
_Static_assert(sizeof(struct store) == 136, "no gaps: there may be ten thousand");

static const uint64_t STORE_OPENED = 1ull << 63;
static const uint64_t STORE_ENGINE = 1ull << 62;

/* What became of it; changed by one bit at a time. */
enum store_state {
    STORE_TOLD = 1 << 0, /* it was said that it is used without being closed: use.c */
    /* closed without a wait, and not seen settled since: closed.c, block.c */
    STORE_UNSETTLED = 1 << 1,
    STORE_IN_VAIN = 1 << 2,     /* the last wait for it timed out: block.c */
    STORE_FRAMES_TOLD = 1 << 3, /* it was said that its -wal has rows that it has not: block.c */
    /* its engine was seen, and who read before was sought: readers.c */
    STORE_READERS_ENTERED = 1 << 4,
    STORE_READERS_ARE_IN = 1 << 6,  /* and they are all there */
    STORE_ASKED_ELSEWHERE = 1 << 5, /* its locks are not the kernel's own: question.c */
};

/* Memory grows with the number of stores, since all of it may be locked (mlockall): by levels of
 * records, each four times as large as the one before, and by arenas of names, each twice as large.
 */
enum { STORE_LEVELS = 5, STORE_ARENAS = 9 };

struct store_books {
    _Atomic int maker; /* the thread whose turn it is to make a record; 0: nobody's */
    /* Made when those before them are crowded (process_publish); never freed. */
    struct store *_Atomic levels[STORE_LEVELS];
    char *_Atomic arenas[STORE_ARENAS];
    /* Records of the level that were ever in use, and bytes of the arena: raised by whoever makes a
     * record, the bytes lowered again where there was no room. */
    _Atomic uint32_t records_used[STORE_LEVELS];
    _Atomic uint32_t bytes_used[STORE_ARENAS];
};

/* What it is of, for those who have it pinned. Where a signal handler forks, whoever it interrupted
 * goes on in the child, too, up to the next look whose process this is, with a record that the
 * kernel has emptied (process.h). So a row and a path are always there: there SQLite's, and "". */
static inline const struct profile *store_profile(const struct store *s)
{
    const struct profile *profile = atomic_load(&s->profile);
    return profile != NULL ? profile : &profiles[PROFILE_SQLITE];
}
static inline const char *store_path(const struct store *s)
{
    const char *path = atomic_load(&s->path);
    return path != NULL ? path : "";
}
static inline bool store_is_emptied(const struct store *s)
{
    return atomic_load(&s->ino) == 0;
}
static inline struct identity store_primary(const struct store *s)
{
    return (struct identity){atomic_load(&s->dev), atomic_load(&s->ino)};
}

/* The record of a primary, pinned; made if there is none. NULL where the registry is full or memory
 * is short. Open path only. */
struct store *store_acquire(struct identity primary, const struct profile *profile,
                            const char *path);

/* The record of a primary, pinned, if there is one. */
struct store *store_find(struct identity primary);

/* The next record from number *at on, pinned, of a store whose engine was seen, in that directory
 * (NULL: in any); NULL where there is none. *at moves on. Not pinned yet, it looks at every record.
 */
struct store *store_next(uint32_t *at, const struct identity *directory);

/* Sets or clears bits of its state; returns those that it had before. */
uint32_t store_mark(struct store *s, uint32_t set, uint32_t cleared);

/* One more pin on a record that the caller has pinned or that a handle of the caller's pins. */
void store_retain(struct store *s);

void store_release(struct store *s);

/* Makes the memory that store_acquire needs, so that one in a close need not make any. Open path
 * only. */
bool store_reserve(void);

/* Whether this process has ever opened a store. */
bool store_any(void);

/* A record by its number in the registry, which is smaller than a pointer; NULL where a fork has
 * emptied it. */
uint32_t store_number(const struct store *s);
struct store *store_numbered(uint32_t number);

#endif
