/* One who keeps a file from being settled. */
#ifndef SETTLE_HOLDER_H
#define SETTLE_HOLDER_H

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
    HOLD_DOTFILE, /* a directory that SQLite has made beside it: nothing tells who */
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
    unsigned sqlite;    /* SQLite's locks that it is, as bits (sqlite_locks.h) */
    const char *ending; /* of its file, after the path that was asked for: "", "-wal", ... */
    uint64_t start;     /* the first and the last byte of a record lock; */
    uint64_t end;       /* UINT64_MAX: to the end of the file */
    char command[32];   /* "" if unknown */
};

/* To the end of the file. */
#define HOLDER_TO_END UINT64_MAX

/* POSIX and OFD locks, which are of bytes. */
static inline bool hold_is_record_lock(enum hold hold)
{
    return hold == HOLD_POSIX_READ || hold == HOLD_POSIX_WRITE || hold == HOLD_OFD;
}

static inline bool hold_is_lock(enum hold hold)
{
    return hold_is_record_lock(hold) || hold == HOLD_FLOCK || hold == HOLD_LEASE ||
           hold == HOLD_DOTFILE;
}

#endif
