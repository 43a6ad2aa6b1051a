/* The registry of stores: those of which this process has files open.
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

/* A store that has handles now. Free slots are used again. What the record is of is written by
 * whoever claims it, between the claim and the first pin, and read by those who have it pinned; a
 * search reads it without, and looks again once it has the pin. */
struct store {
    /* Users of this record; 0: free; STORE_CLAIMED: changing hands. Raised from 0 by store_acquire
     * alone. */
    _Atomic uint32_t pins;
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
    const struct profile *_Atomic profile;
    _Atomic uint32_t connections; /* live SQLite connections on it: changed by connection.c */
    _Atomic uint32_t awaited;     /* closes that wait for its last handle to go: connection.c */
    _Atomic uint32_t rule;        /* rules_find, when it was opened */
    char *_Atomic path;           /* of the primary, absolute; "" if it could not be determined */
    uint32_t path_room;           /* of the record for good, whatever store it is of */
};

static const uint64_t STORE_OPENED = 1ull << 63;
static const uint64_t STORE_ENGINE = 1ull << 62;

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

/* The record of a primary, pinned; made if there is none. NULL where the registry is full or memory
 * is short. Open path only. */
struct store *store_acquire(struct identity primary, const struct profile *profile,
                            const char *path);

/* The record of a primary, pinned, if there is one. */
struct store *store_find(struct identity primary);

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
