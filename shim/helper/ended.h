/* Helpers that have done their work and are still among the threads of the process: the kernel says
 * that a thread has ended before it closes its files, and to close a watch takes it milliseconds.
 * So that whoever counts the program's threads (helper_other_threads) can leave them out. */
#ifndef SETTLE_ENDED_H
#define SETTLE_ENDED_H

/* The helper with that thread id has done its work, or was told to stop. Lock-free; from any
 * thread.
 */
void ended_enter(int id);

/* It goes on by itself, for as long as it likes. */
void ended_enter_running(int id);

#endif
