/* The library writes on a thread of the program: signals that this raises are not for the program.
 */
#ifndef SETTLE_MUTED_H
#define SETTLE_MUTED_H

#include "base/sys.h"

struct muted {
    sys_sigset old, pending;
};

/* Holds signals back from here on, in this thread: all of them, or those that a write raises or is
 * stopped by. May be called in a signal handler. */
struct muted muted_begin(void);
struct muted muted_begin_all(void);

/* The signal that a write raises which ends so: -EPIPE, -EFBIG (write(2)). */
sys_sigset muted_raised_by(long result);

/* Takes away those of `raised` that were not there before, and lets the others come. */
void muted_end(const struct muted *muted, sys_sigset raised);

#endif
