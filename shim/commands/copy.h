/* settle-wait --copy: copies of stores that are whole, though programs go on using them.
 *
 * Each store's writers are kept out (copy_lock.h) while another process copies it (copier.h); when
 * all have been copied and let go, the copies are checked, and what was made gets its name.
 */
#ifndef SETTLE_COPY_H
#define SETTLE_COPY_H

#include "commands/target.h"

struct copy_request {
    const char *to;    /* NULL: nothing is copied */
    uint64_t max_hold; /* ns */
};

/* Copies all targets, each of which is settled or need not be, or none: TO is there whole or not at
 * all. Sets their status, reason, and copy. On a terminal a line tells how it goes. Ends the
 * process by SIGINT, SIGTERM or SIGHUP, with nothing left behind. */
void copy_stores(struct target *targets, unsigned n, const struct copy_request *request);

#endif
