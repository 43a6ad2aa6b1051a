/* Keeping a thread of the program from leaving its close before the wait is over.
 *
 * Traced: the kernel does the close, and the thread is stopped by ptrace(2) at its way out of that
 * one call. It counts among the program's own stops: a stop from the terminal stops it, handlers of
 * signals run, and then it is held again.
 *
 * Replaced, where ptrace is refused (another tracer, Yama): a dead descriptor in the place of the
 * program's, whose file is closed by that; the call itself waits for its answer and then closes the
 * dead one. There a signal ends it, since the thread cannot take one meanwhile. */
#ifndef SETTLE_HOLD_H
#define SETTLE_HOLD_H

#include "supervise/mirror.h"

#include <stdbool.h>
#include <stdint.h>

enum hold_state {
    HOLD_NOT,      /* it is not held: it was answered, or has ended */
    HOLD_REPLACED, /* its call is not answered yet */
    HOLD_STOPPED,  /* in a ptrace-stop, at its way out */
    HOLD_LISTENS,  /* the same, and the kernel tells of stops of the process */
    HOLD_RUNS,     /* runs the handler of a signal */
};

struct held {
    enum hold_state state;
    int thread;
    int slot;
    int status;      /* /proc/TID/status, open; -1 */
    bool delivers;   /* a signal has been given to it since it was at its way out */
    bool returns;    /* it is in sigreturn */
    unsigned calls;  /* system calls of handlers */
    uint64_t ip, sp; /* of its way out */
};

/* Has the kernel do the close of the departures. Afterwards they are closed, in any state. A slot
 * that is not HOLD_REPLACED is answered. */
struct held hold_begin(int slot, const struct departure *departures, int count);

/* What is to be done every 10 ms or so. */
enum hold_event {
    HOLD_GOES_ON,
    HOLD_INTERRUPTED, /* SIGINT or SIGTERM came: the wait is to end */
    HOLD_LEFT,        /* it is not held any more: hold_end was called */
};
enum hold_event hold_look(struct held *h);

/* Lets it go. Only the thread that began may call these. */
void hold_end(struct held *h);

#endif
