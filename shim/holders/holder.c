#include "holders/holder.h"

#include "base/sys.h"

#include <limits.h>

const char *hold_name(enum hold hold)
{
    static const char *const names[] = {
        "nothing", "POSIX read lock", "POSIX write lock", "OFD lock",
        "flock",   "lease",           "open for writing", "open",
        "mapped"};
    return names[hold];
}

bool hold_is_record_lock(enum hold hold)
{
    return hold == HOLD_POSIX_READ || hold == HOLD_POSIX_WRITE || hold == HOLD_OFD;
}

bool hold_is_lock(enum hold hold)
{
    return hold_is_record_lock(hold) || hold == HOLD_FLOCK || hold == HOLD_LEASE;
}

/* --- SQLite's names --- */

/* A row a lock: the bytes that it is. Of the database: https://www.sqlite.org/lockingv3.html and
 * PENDING_BYTE in the source; of the -shm: https://www.sqlite.org/walformat.html; byte 128 is what
 * every connection holds for as long as it lives. */
static const struct sqlite_lock {
    const char *name;
    bool wal_index;
    bool exclusive;
    uint64_t first, last;
} sqlite_locks[] = {
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
enum { SQLITE_LOCKS = sizeof sqlite_locks / sizeof sqlite_locks[0] };

static const uint64_t sqlite_first[] = {0x40000000, 120}; /* by wal_index */
static const uint64_t sqlite_last[] = {0x400001ff, 128};

/* The kernel makes one lock of neighbouring ones of the same kind, so that one range can be
 * several. In the database, where each implies the weaker, the strongest counts. */
unsigned holder_sqlite_locks(bool wal_index, bool exclusive, uint64_t start, uint64_t end)
{
    unsigned found = 0;
    if (start < sqlite_first[wal_index] || end > sqlite_last[wal_index])
        return 0;
    for (int i = 0; i < SQLITE_LOCKS; i++) {
        const struct sqlite_lock *lock = &sqlite_locks[i];
        if (lock->wal_index == wal_index && (exclusive || !lock->exclusive) &&
            start <= lock->last && end >= lock->first && (wal_index || found == 0))
            found |= 1u << i;
    }
    return found;
}

void holder_say_sqlite(struct text *t, const struct holder *h)
{
    const char *separator = "";
    for (int i = 0; i < SQLITE_LOCKS; i++) {
        if ((h->sqlite >> i & 1u) == 0)
            continue;
        text_str(t, separator);
        text_str(t, sqlite_locks[i].name);
        separator = "+";
    }
}

/* --- telling --- */

static void describe_process(struct text *t, const struct holder *h)
{
    if (h->where == WHERE_OTHER_NAMESPACE) {
        text_str(t, " of a process " HOLDER_OUTSIDE);
        return;
    }
    if (h->pid == 0) {
        text_str(t, " of a process that cannot be named from here");
        return;
    }
    text_str(t, " of pid ");
    text_int(t, h->pid);
    if (h->where == WHERE_OTHER_HOST) {
        text_str(t, " on another host");
        return;
    }
    text_str(t, " (");
    text_path(t, h->command[0] != '\0' ? h->command : "command unknown");
    if (h->pid == sys_getpid())
        text_str(t, ", this process");
    if (h->inner_pid != 0) {
        text_str(t, ", pid ");
        text_int(t, h->inner_pid);
        text_str(t, HOLDER_CONTAINED);
    }
    text_str(t, ")");
}

void holder_describe(struct text *t, const struct holder *h)
{
    text_str(t, hold_name(h->hold));
    describe_process(t, h);
    if (h->pid == sys_getpid() && h->descriptor >= 0) {
        text_str(t, ", descriptor ");
        text_int(t, h->descriptor);
    }
    if (h->sqlite != 0) {
        text_str(t, ", ");
        holder_say_sqlite(t, h);
    }
    if (h->ending[0] != '\0') {
        text_str(t, " on ");
        text_str(t, h->ending);
    }
}

void holder_json(struct json *j, const struct holder *h, const char *path)
{
    static const char *const places[] = {"here", "another pid namespace", "another host"};
    char buffer[PATH_MAX + 16];
    struct text file = text_in(buffer, sizeof buffer);
    text_str(&file, path);
    text_str(&file, h->ending);
    json_object(j, NULL);
    json_int(j, "pid", h->pid);
    json_str(j, "command", h->command);
    json_str(j, "kind", hold_name(h->hold));
    json_str(j, "file", buffer);
    if (h->sqlite != 0) {
        char lock[64];
        struct text t = text_in(lock, sizeof lock);
        holder_say_sqlite(&t, h);
        json_str(j, "lock", lock);
    }
    if (hold_is_lock(h->hold))
        json_bool(j, "exclusive", h->exclusive);
    if (hold_is_record_lock(h->hold)) {
        json_int(j, "start", (long)h->start);
        if (h->end != HOLDER_TO_END)
            json_int(j, "end", (long)h->end);
    }
    if (h->descriptor >= 0)
        json_int(j, "fd", h->descriptor);
    if (h->descriptor >= 0 || h->hold == HOLD_MAPPED)
        json_bool(j, "writes", h->writes);
    if (h->inner_pid != 0)
        json_int(j, "inner_pid", h->inner_pid);
    if (h->where != WHERE_HERE)
        json_str(j, "where", places[h->where]);
    json_end(j, '}');
}
