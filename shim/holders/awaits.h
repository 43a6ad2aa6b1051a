/* Who waits for this process, and so cannot let go of what it holds before this one goes on. */
#ifndef SETTLE_AWAITS_H
#define SETTLE_AWAITS_H

#include <stdbool.h>

/* Whether a process is one of those that this one descends from, and does nothing but wait for it:
 * it has one thread, which sleeps in wait(2), or in read(2) or poll(2) where it has the other end
 * of a pipe that this process may write to, so waits for its output or its end. False where the
 * kernel does not tell where a process sleeps. */
bool awaits_us(int pid);

#endif
