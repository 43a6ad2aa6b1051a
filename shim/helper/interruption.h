/* SIGINT and SIGTERM, which end a wait: who sends one wants the program to go on to its end.
 *
 * Other handlers run during a wait, and it goes on after them: that a system call was interrupted
 * says nothing of which signal it was, and SIGCHLD or a profiler must not end waits. So one of two
 * ways is taken:
 *   - The two are blocked in the waiting thread, which looks whether one is pending. That is exact.
 *     But where other threads take signals, too, the kernel would then have one of them run the
 *     handler, and the wait would learn nothing of it.
 *   - There, if no other signal has a handler, nothing is blocked: the kernel has the same thread
 *     run the handler as ever, and where it is this one, its system call is interrupted, which no
 *     other signal can have done. If one has got a handler by then, the first way is taken from
 *     there on.
 * What the program had blocked itself, or ignores, ends no wait: nothing of it would run.
 */
#ifndef SETTLE_INTERRUPTION_H
#define SETTLE_INTERRUPTION_H

#include "base/sys.h"

struct interruption {
    sys_sigset before;  /* the thread's mask */
    sys_sigset watched; /* those that end the wait; 0: none does */
    unsigned threads;   /* the process's that do not count: this one, and one that works for it */
    bool blocked;       /* they are blocked now */
    bool looked;        /* at the process's handlers and threads */
    bool alone_handled; /* no other signal has a handler, and there are other threads */
    bool handled;       /* one of the two had a handler then */
    bool shared;        /* somebody else looks, too, for what is sent to the process (see below) */
    unsigned looks;     /* whether one is pending, so far */
};

/* What a wait between two looks takes at most, in ns; where the looks are shared, sixteen times as
 * long in the end. */
enum { INTERRUPTION_STEP = 20000000 };

/* The two, as a set. */
extern const sys_sigset interruption_signals;

/* Begins to watch, with the two blocked. mask: what the thread's mask is to be afterwards. threads:
 * as above. */
struct interruption interruption_begin(sys_sigset mask, unsigned threads);

/* The same, for the mask that the thread has. */
struct interruption interruption_here(unsigned threads);

/* To be asked between two system calls that sleep, with what the last one returned (0: none has):
 * whether the wait is to end. The first call with a result chooses the way; so it should be one
 * after a wait that lasts already. */
bool interruption_came(struct interruption *i, long result);

/* How long the next one may sleep, in ns; UINT64_MAX: as long as it likes. */
uint64_t interruption_step(const struct interruption *i);

/* Whether one that was sent to the process ends the wait: for a thread of it that has all signals
 * blocked, and wakes the one that waits. What is sent to the waiting thread alone that one finds by
 * itself. watched: the set of that name. */
bool interruption_is_pending(sys_sigset watched);

/* Sleeps ns, but for INTERRUPTION_STEP at most, and a signal handler ends it. True if the wait of
 * which that is a part is to end. */
bool interruption_sleep(struct interruption *i, uint64_t ns);

/* The mask is what it was: a handler that was put off runs now. */
void interruption_end(const struct interruption *i);

#endif
