/* The threads of a worker (worker.h), in pairs: one receives a call and holds its thread, the other
 * one waits for the store meanwhile, by the library's own code. */
#ifndef SETTLE_ATTENDANT_H
#define SETTLE_ATTENDANT_H

#include <stdbool.h>

/* The first pair. calls: a pipe of slot numbers (int). first: called with the thread of the first
 * call, before anything else; ended: once the pipe has. False without threads. */
bool attendant_start(int calls, void first(int thread), void ended(void));

#endif
