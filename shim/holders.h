/* Who keeps a file from being settled: every holder, by process, kind of hold and file.
 *
 * Nothing here opens, locks or closes the file itself. What is asked: /proc/PID/fd and fdinfo,
 * which tell the descriptors of each process and their locks; /proc/PID/maps for mappings without a
 * descriptor; /proc/locks for the processes that may not be looked into. That takes milliseconds,
 * so it is for messages, and the last resort of the probe.
 */
#ifndef SETTLE_HOLDERS_H
#define SETTLE_HOLDERS_H

#include "json.h"
#include "settings.h"
#include "text.h"

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

/* What was found. The list is the caller's memory. */
struct holders {
    struct holder *list;
    unsigned room; /* > 0 */
    unsigned count;
    unsigned unlisted; /* that found no room; what /proc/locks tells twice may be counted twice */
    unsigned refused;  /* processes that may not be looked into */
    bool hurried;      /* the deadline came before all were looked at */
    bool out_of_sight; /* there may be processes that cannot be seen from here */
};

struct holders_question {
    const char *path;  /* of the file, without symbolic links */
    bool sidecars;     /* and of what SQLite keeps beside it */
    bool locks;        /* read /proc/locks, too: milliseconds more */
    bool remote;       /* the file lies on another host */
    enum until until;  /* whoever keeps the file from this level */
    uint64_t deadline; /* ns of sys_now: then no further process is looked at */
};

/* Finds the holders. seen: the one that the kernel named in answer to a probe, or NULL; it comes
 * first, and is completed by what else is found out. */
void holders_find(struct holders *found, const struct holders_question *question,
                  const struct holder *seen);

/* True if whoever is not in the list is no holder. */
bool holders_complete(const struct holders *found);

/* "POSIX write lock of pid 4242 (python3), RESERVED". */
void holder_describe(struct text *t, const struct holder *h);

/* The first one so, the others shortly behind it. */
void holders_describe(struct text *t, const struct holders *found);

/* What kept it from being complete, as a sentence; nothing if it is. */
void holders_say_missing(struct text *t, const struct holders *found);

/* SQLite's name for the lock: "RESERVED"; nothing if it is none of SQLite's. */
void holder_say_sqlite(struct text *t, const struct holder *h);

/* A member of the current list: an object with all that is known. path: that of the question. */
void holder_json(struct json *j, const struct holder *h, const char *path);

/* The words people search for: "POSIX write lock", "OFD lock", "flock", "lease". */
const char *hold_name(enum hold hold);

/* SQLite's locks in the bytes start to end of a file, as bits. wal_index: the file is a -shm. */
unsigned holder_sqlite_locks(bool wal_index, bool exclusive, uint64_t start, uint64_t end);

#endif
