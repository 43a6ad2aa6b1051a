/* Waiting for another thread that is in the middle of some system calls, where no lock may be
 * taken: it has left a mark, and takes it away when it is done.
 *
 * Who waits sleeps, after a moment. To yield is not enough: a thread of real-time priority yields
 * to its equals alone (sched_yield(2)), and the other would never get the processor that the two
 * share.
 *
 * For one second, since the other may never come back: it was left by longjmp, or cancelled. That
 * is counted in sleeps, too. The clock runs on while a process is stopped, or has used up what its
 * container may have of the processors, and then the other thread has had no more time than this
 * one.
 */
#ifndef SETTLE_PATIENCE_H
#define SETTLE_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/* {0} at first. */
struct patience {
    uint64_t began; /* 0: it has not */
    uint32_t sleeps;
};

/* Some time has passed, and the mark is to be looked at again; false, at once, where it was enough.
 */
bool patience_wait(struct patience *patience);

#endif
