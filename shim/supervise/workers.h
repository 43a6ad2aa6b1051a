/* The workers (worker.h) of one dispatcher: one for each process of the program that has closed
 * something of a store, and a spare one. */
#ifndef SETTLE_WORKERS_H
#define SETTLE_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

/* program: a pidfd of what the supervisor was started for. leave: called in each of them first, to
 * close what is the dispatcher's alone. Makes the spare one. */
void workers_start(int program, void leave(void));

/* Whether the process of a thread has one. */
bool workers_has(int thread);

/* Gives a call to the worker of a process; lets it go on where there can be none. */
void workers_hand_over(int slot, int process);

/* Another spare one, if there is none. */
void workers_make_spare(void);

/* Lets the calls go on that a worker has left which has ended. A signal tells of our own workers.
 * Of those of a dispatcher that was killed none may: if its guard was killed before it, they are
 * children of a process that knows nothing of this. And no signal is seen while calls come without
 * a pause. So, while workers have calls, it is asked ten times a second, too.
 *
 * signalled: ask at once. Returns how long nothing has to be asked: ns, UINT64_MAX for ever. */
uint64_t workers_look_after(bool signalled);

#endif
