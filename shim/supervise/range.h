/* Which descriptors a call closes, as its arguments say. */
#ifndef SETTLE_RANGE_H
#define SETTLE_RANGE_H

#include <linux/seccomp.h>
#include <stdbool.h>

struct range {
    int first, last;
};

/* False: it closes none in the table that the process goes on with, or it fails. */
bool range_of(const struct seccomp_notif *call, struct range *range);

/* Whether it is the end of the process. */
bool range_is_exit(const struct seccomp_notif *call);

#endif
