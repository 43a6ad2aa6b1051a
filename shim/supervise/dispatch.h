/* The process of the supervisor that receives what the program's calls ask, lets all go on that
 * close nothing of a store, and hands the others to a worker (worker.h). */
#ifndef SETTLE_DISPATCH_H
#define SETTLE_DISPATCH_H

#include "config/settings.h"

#include <stdbool.h>

/* What the processes of the supervisor share. */
struct service {
    const struct settings *settings;
    int program; /* pidfd of the process that becomes the program */
    int ready;   /* a socket: who starts the program waits for a byte; -1 once it has it */
    bool exits;  /* ends of processes are asked about */
};

/* Its life, until no process is under the filter. guard: a pidfd of the process that takes over
 * where this one is killed (guard.h). */
_Noreturn void dispatch_run(struct service *service, int guard);

#endif
