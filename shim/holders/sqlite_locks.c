#include "holders/sqlite_locks.h"

#include "base/text.h"

/* A row a lock: the bytes that it is. Of the database: https://www.sqlite.org/lockingv3.html and
 * PENDING_BYTE in the source; of the -shm: https://www.sqlite.org/walformat.html; byte 128 is what
 * every connection holds for as long as it lives. */
static const struct sqlite_lock {
    const char *name;
    bool wal_index;
    bool exclusive;
    uint64_t first, last;
} table[] = {
    {"EXCLUSIVE", false, true, 0x40000002, 0x400001ff},
    {"PENDING", false, true, 0x40000000, 0x40000000},
    {"RESERVED", false, true, 0x40000001, 0x40000001},
    {"SHARED", false, false, 0x40000002, 0x400001ff},
    {"WAL write", true, true, 120, 120},
    {"WAL checkpoint", true, true, 121, 121},
    {"WAL recover", true, true, 122, 122},
    {"WAL read", true, false, 123, 127},
    {"WAL connection", true, false, 128, 128},
};
enum { COUNT = sizeof table / sizeof table[0] };

static const uint64_t first_byte[] = {SQLITE_LOCKS_FIRST,
                                      SQLITE_LOCKS_SHM_FIRST}; /* by wal_index */
static const uint64_t last_byte[] = {SQLITE_LOCKS_LAST, SQLITE_LOCKS_SHM_LAST};

unsigned sqlite_locks_in(bool wal_index, bool exclusive, uint64_t start, uint64_t end)
{
    unsigned found = 0;
    if (start < first_byte[wal_index] || end > last_byte[wal_index])
        return 0;
    for (int i = 0; i < COUNT; i++) {
        const struct sqlite_lock *lock = &table[i];
        if (lock->wal_index == wal_index && (exclusive || !lock->exclusive) &&
            start <= lock->last && end >= lock->first && (wal_index || found == 0))
            found |= 1u << i;
    }
    return found;
}

void sqlite_locks_say(struct text *t, unsigned locks)
{
    const char *separator = "";
    for (int i = 0; i < COUNT; i++) {
        if ((locks >> i & 1u) == 0)
            continue;
        text_str(t, separator);
        text_str(t, table[i].name);
        separator = "+";
    }
}
