/* One who keeps a file from being settled. */
#ifndef SETTLE_HOLDER_H
#define SETTLE_HOLDER_H

#include <fcntl.h>
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

/* Who has a record lock of that type, by the pid that F_GETLK and F_OFD_GETLK tell: -1 of an OFD
 * lock; one of another pid namespace comes out as 0, one on another host as its negative
 * (locks_translate_pid in the kernel). Of what it is of nothing is said. */
static inline struct holder holder_of_lock(short type, int pid)
{
    struct holder h = {
        .hold = type == F_RDLCK ? HOLD_POSIX_READ : HOLD_POSIX_WRITE,
        .exclusive = type != F_RDLCK,
        .descriptor = -1,
        .ending = "",
    };
    if (pid == -1) {
        h.hold = HOLD_OFD;
    } else if (pid < 0) {
        h.where = WHERE_OTHER_HOST;
        h.pid = -pid;
    } else if (pid == 0) {
        h.where = WHERE_OTHER_NAMESPACE;
    } else {
        h.pid = pid;
    }
    return h;
}

static inline bool hold_is_lock(enum hold hold)
{
    return hold_is_record_lock(hold) || hold == HOLD_FLOCK || hold == HOLD_LEASE ||
           hold == HOLD_DOTFILE;
}

#endif
