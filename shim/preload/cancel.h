/* Cancellation (pthread_cancel(3)) around a real close.
 *
 * libc's close is a point where a thread can be cancelled, and one that goes there would leave the
 * books in the middle: other threads' locks would wait for a close that never arrives. So the point
 * comes before the books are touched, as libc's own comes before the system call, and a
 * cancellation that is asked for meanwhile comes true at the next one.
 *
 * The thread that the library was loaded by, as a rule the process's first, is spared the 80
 * instructions: who cancels that one in a close makes the next lock on the file wait for a
 * second, once. Keeps errno; takes no lock.
 */
#ifndef SETTLE_CANCEL_H
#define SETTLE_CANCEL_H

#include <stdbool.h>

/* At start. */
void cancel_start(void);

extern const void *cancel_first_thread;

/* What the thread's variables are found by, which each thread has for itself (psABI, "TLS"). */
static inline const void *cancel_thread(void)
{
    const void *thread;
#if defined(__x86_64__)
    __asm__("mov %%fs:0, %0" : "=r"(thread));
#else
    __asm__("mrs %0, tpidr_el0" : "=r"(thread));
#endif
    return thread;
}

static inline bool cancel_is_possible(void)
{
    return cancel_thread() != cancel_first_thread;
}

/* Where it is possible. */
void cancel_point(void);

/* Until cancel_let, which gets the result, the thread is not cancelled. Only around the real call:
 * who leaves it by longjmp can be cancelled no more. */
int cancel_hold(void);
void cancel_let(int held);

#endif
