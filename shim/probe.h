/* One question to the kernel: would an exclusive lock on the whole file be granted to somebody
 * else?
 *
 * Everything here opens and closes the store's files, so it must run where that harms nobody: in a
 * helper's descriptor table (helper.h), or in a process that has no locks on them.
 */
#ifndef SETTLE_PROBE_H
#define SETTLE_PROBE_H

#include "descriptor.h"
#include "text.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum verdict {
    VERDICT_SETTLED,
    VERDICT_HELD,
    VERDICT_GONE,       /* no such file any more: nothing to wait for */
    VERDICT_UNEXAMINED, /* the question cannot be asked; see error */
};

enum hold { HOLD_NONE, HOLD_POSIX_READ, HOLD_POSIX_WRITE, HOLD_OFD, HOLD_FLOCK, HOLD_LEASE };

/* Whoever keeps a file from being settled. */
struct holder {
    enum hold hold;
    int pid;          /* 0: unknown, or in another pid namespace */
    char command[32]; /* "" if unknown */
};

struct probe {
    const char *path;
    struct identity expected;
    int fd;      /* -1 until the file could be opened */
    bool remote; /* on a file system of another host: flock is not asked */
    int error;   /* of VERDICT_UNEXAMINED */
    struct holder holder;
};

/* Prepares a probe of a path; asks nothing yet. The path must outlive the probe. */
struct probe probe_of(const char *path, struct identity expected);

/* Asks once. Opens the file if that has not succeeded before, and keeps it open: an open and close
 * for each question would cause inotify events that wake our own watch. Never blocks on a lease or
 * a FIFO. Takes no POSIX or OFD lock; a flock can only be seen by trying for it, which is done only
 * where no other lock is found, and released at once. */
enum verdict probe_ask(struct probe *p);

/* Closes what the probe opened. */
void probe_end(struct probe *p);

/* Finds out who holds p's file, after probe_ask said VERDICT_HELD: fills in what is missing in
 * p->holder. Slow (reads /proc/locks: milliseconds); only for messages. */
void probe_name_holder(struct probe *p);

/* Describes a holder: "POSIX write lock of pid 4242 (python3)". */
void probe_describe_holder(struct text *t, const struct holder *holder);

/* The words people search for: "POSIX write lock", "OFD lock", "flock", "lease". */
const char *hold_name(enum hold hold);

#endif
