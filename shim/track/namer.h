/* Naming the holders of a wait while it goes on, for the record: a look into /proc takes up to 50
 * ms, so a second helper takes it beside the one that waits, which goes on asking the kernel and
 * returns as if there were no other.
 *
 * /proc/locks is left alone: a cold read of it holds up every lock and unlock of the machine, and
 * so the release that is waited for. Whoever may not be looked into is then named by the kernel's
 * answer to the probe, or not at all.
 */
#ifndef SETTLE_NAMER_H
#define SETTLE_NAMER_H

#include "wait/wait.h"

struct namer {
    struct naming_slot *slot; /* NULL: nothing was begun */
};

/* Begins to look for who holds the store of the request; seen: whom the kernel named. Returns at
 * once. Does nothing while an earlier look of this namer goes on, where there is no thread to be
 * had, and under a seccomp filter, where it would be a process of its own. */
void namer_begin(struct namer *n, const struct wait_request *request, const struct holder *seen);

/* Puts what has been found into *found, if the look is over; does not wait for it. */
void namer_end(struct namer *n, struct holders *found);

#endif
