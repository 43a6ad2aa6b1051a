/* One question to the kernel: is a file settled, by one of three levels (settings.h, enum until)?
 *   unlocked   an exclusive lock on the whole file would be granted to somebody else;
 *   unwritten  and nobody has it open for writing;
 *   closed     and nobody has it open at all.
 *
 * Everything here opens and closes the store's files, so it must run where that harms nobody: in a
 * helper's descriptor table (helper.h), or in a process that has no locks on them. The thread must
 * have all its signals blocked: somebody who opens the file within the microsecond that a lease
 * lasts has the kernel send SIGIO, which ends a process that does not expect it.
 */
#ifndef SETTLE_PROBE_H
#define SETTLE_PROBE_H

#include "base/file_system.h"
#include "base/identity.h"
#include "config/profile.h"
#include "holders/holders.h"

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

struct probe {
    const char *path;
    struct identity expected;
    enum until until;      /* of what is asked; UNTIL_UNLOCKED unless it is set */
    bool fresh;            /* the path was that of a regular file a moment ago */
    bool last;             /* nobody asks again once it is settled */
    uint8_t passed;        /* enum engine, of UNTIL_UNLOCKED: whose locks are in nobody's way */
    bool handed_over;      /* somebody may have such a lock */
    bool writers;          /* only record locks that write are in the way, of UNTIL_UNLOCKED */
    bool dotfile;          /* it is a database: ask for its dot-file, too */
    int directory;         /* in which the path is looked up: AT_FDCWD unless it is set */
    int fd;                /* -1 until the file could be opened */
    uint64_t device;       /* the one of the file system below; 0: it is not known yet */
    struct file_system on; /* remote: flock is not asked */
    int error;             /* of VERDICT_UNEXAMINED: errno's value, */
    const char *reason;    /* and why, where that does not say it; else NULL */
    struct holder holder;
};

/* Prepares a probe of a path; asks nothing yet. The path must outlive the probe. */
struct probe probe_of(const char *path, struct identity expected);

/* Asks once. Never blocks on a lease or a FIFO, and takes no POSIX or OFD lock. Two things can only
 * be seen by trying for them, and are released at once: a flock, which is tried for where no other
 * lock is found; then, beyond UNTIL_UNLOCKED, a lease.
 *
 * Keeps the file open from one question to the next, since an open and close for each would cause
 * inotify events that wake our own watch; but not at UNTIL_CLOSED, where two who ask would keep
 * each other waiting. */
enum verdict probe_ask(struct probe *p);

/* Closes what the probe opened. */
void probe_end(struct probe *p);

#endif
