/* Helpers that have done their work and are still among the threads of the process: the kernel says
 * that a thread has ended before it closes its files, and to close a watch takes it milliseconds.
 * So that whoever counts the program's threads (helper_other_threads) can leave them out. */
#ifndef SETTLE_ENDED_H
#define SETTLE_ENDED_H

/* The helper with that thread id has ended, or is left to itself. Lock-free; from any thread. */
void ended_enter(int id);

#endif
