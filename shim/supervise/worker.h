/* A worker: a process of the supervisor with the books of one process of the program, which has
 * closed a file of a store. It begins before it knows which, so that the first such close finds it
 * ready. */
#ifndef SETTLE_WORKER_H
#define SETTLE_WORKER_H

/* The life of one. calls: a pipe of slot numbers (int), the first of which says whose books it
 * keeps. program: a pidfd of what the supervisor was started for. In a fork child, whose books are
 * empty. */
_Noreturn void worker_run(int calls, int program);

/* Once the program has ended its standard error is somebody else's, who may wait for its end: from
 * then on descriptor 2 is /dev/null. */
void worker_leave_stderr(void);

#endif
