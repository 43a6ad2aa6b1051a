/* One who keeps a file from being settled, and the words for it. */
#ifndef SETTLE_HOLDER_H
#define SETTLE_HOLDER_H

#include "base/json.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum hold {
    HOLD_NONE,
    HOLD_POSIX_READ,
    HOLD_POSIX_WRITE,
    HOLD_OFD,
    HOLD_FLOCK,
    HOLD_LEASE,
    HOLD_WRITING, /* a descriptor without a lock that can write */
    HOLD_OPEN,    /* a descriptor without a lock */
    HOLD_MAPPED,  /* a mapping without a descriptor */
};

enum whereabouts {
    WHERE_HERE,
    WHERE_OTHER_NAMESPACE, /* a pid namespace that cannot be seen from here */
    WHERE_OTHER_HOST,
};

struct holder {
    enum hold hold;
    enum whereabouts where;
    int pid;            /* 0: unknown */
    int inner_pid;      /* its pid in its own pid namespace, where that is not ours; else 0 */
    int descriptor;     /* its number in that process; -1: none or unknown */
    bool exclusive;     /* a lock that tolerates no other */
    bool writes;        /* the descriptor or mapping can write */
    unsigned sqlite;    /* SQLite's locks that it is, as bits (holders.c) */
    const char *ending; /* of its file, after the path that was asked for: "", "-wal", ... */
    uint64_t start;     /* the first and the last byte of a record lock; */
    uint64_t end;       /* UINT64_MAX: to the end of the file */
    char command[32];   /* "" if unknown */
};

/* To the end of the file. */
#define HOLDER_TO_END UINT64_MAX

/* POSIX and OFD locks, which are of bytes. */
bool hold_is_record_lock(enum hold hold);

bool hold_is_lock(enum hold hold);

/* "POSIX write lock of pid 4242 (python3), RESERVED". */
void holder_describe(struct text *t, const struct holder *h);

/* SQLite's name for the lock: "RESERVED"; nothing if it is none of SQLite's. */
void holder_say_sqlite(struct text *t, const struct holder *h);

/* A member of the current list: an object with all that is known. path: that of the question. */
void holder_json(struct json *j, const struct holder *h, const char *path);

/* Where a process is that a container's walls hide: what a person calls it, and what the kernel
 * does. */
#define HOLDER_OUTSIDE   "in another container or on the host (another pid namespace)"
#define HOLDER_CONTAINED " in its container"

/* The words people search for: "POSIX write lock", "OFD lock", "flock", "lease". */
const char *hold_name(enum hold hold);

/* SQLite's locks in the bytes start to end of a file, as bits. wal_index: the file is a -shm. */
unsigned holder_sqlite_locks(bool wal_index, bool exclusive, uint64_t start, uint64_t end);

#endif
