/* Memory for a moment: for paths and lines, which have no place on the program's stack. The
 * alternate stack of a signal handler may have 8 KB, that of a thread 16 KB, and the program needs
 * its own.
 *
 * Any thread, any time: a signal handler that interrupts a take gets other memory, and a fork child
 * has its own copy. What was taken and is left by longjmp stays taken.
 */
#ifndef SETTLE_SCRATCH_H
#define SETTLE_SCRATCH_H

enum { SCRATCH_SIZE = 16384 };

/* SCRATCH_SIZE bytes that hold whatever they held; NULL without memory. A system call only where
 * all that is kept is in use. */
void *scratch_take(void);

/* NULL: nothing. */
void scratch_give(void *memory);

/* Gives what is kept for the next take back to the system: at the end of the start, since most
 * processes take none any more. */
void scratch_drop(void);

#endif
