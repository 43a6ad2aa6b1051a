/* The process that stands by for the one that answers the program's calls. Where nobody answers any
 * more, and nobody has the listener, the kernel has every close of the program fail from then on
 * (ENOSYS): so each of the two watches the other, and begins another one in its place. */
#ifndef SETTLE_GUARD_H
#define SETTLE_GUARD_H

#include "supervise/dispatch.h"

/* The life of the first guard: begins the process that answers. */
_Noreturn void guard_run(struct service *service);

/* Another guard, for the calling process, that answers. Returns its pidfd, -1 if there is none. */
int guard_make(struct service *service);

#endif
