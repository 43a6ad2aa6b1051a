/* The locks that SQLite takes, by the bytes that they are of. */
#ifndef SETTLE_SQLITE_LOCKS_H
#define SETTLE_SQLITE_LOCKS_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* The bytes that it locks: of the database from PENDING to the last of SHARED, and of the -shm. */
enum {
    SQLITE_LOCKS_FIRST = 0x40000000,
    SQLITE_LOCKS_LAST = 0x400001ff,
    SQLITE_LOCKS_SHM_FIRST = 120,
    SQLITE_LOCKS_SHM_LAST = 128,
};

/* Which of them a lock of the bytes start to end is, as bits of the table; 0: it is none of
 * SQLite's. wal_index: the file is a -shm. The kernel makes one lock of neighbouring ones of the
 * same kind, so that one range can be several. In the database, where each implies the weaker, the
 * strongest counts. */
unsigned sqlite_locks_in(bool wal_index, bool exclusive, uint64_t start, uint64_t end);

/* Their names: "RESERVED", "WAL write+WAL read"; nothing if there is none. */
void sqlite_locks_say(struct text *t, unsigned locks);

#endif
