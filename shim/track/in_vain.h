/* Whether a wait is in vain, and what it teaches later ones: its holder only has the database open,
 * and has outlasted a wait before (outlasted.h), or waits itself for this process. What waits in
 * vain cost all together is in vain.h. */
#ifndef SETTLE_IN_VAIN_H
#define SETTLE_IN_VAIN_H

#include "holders/proc.h"
#include "wait/wait.h"

/* Of one wait: zeros at its beginning. */
struct in_vain {
    bool whole;           /* it has all of its max_wait */
    struct proc_stat who; /* of the process that was asked about last */
    int who_pid;
};

/* To be asked for whoever is in the way of the wait (wait_request.in_vain). In the helper. */
bool in_vain_is(struct in_vain *v, const struct wait_request *wait, const struct probe *probe);

/* What later waits are to know of this one, which has ended. In the helper. */
void in_vain_learn(struct in_vain *v, const struct wait_request *wait,
                   const struct wait_result *result);

/* Says in the log, once, that its holder, or all waits in vain together, make later ones as short
 * as `delay` (ns). In the program's thread. */
void in_vain_tell(const struct in_vain *v, const struct wait_request *wait,
                  const struct wait_result *result, uint64_t delay);

#endif
