/* Which process the books are of, and the memory that is its own alone: a fork child starts with
 * nothing of its parent's, since the kernel empties that memory (MADV_WIPEONFORK). A vfork child
 * shares the memory instead; process_at_home tells the two processes apart.
 *
 * Nothing here takes a lock, and a signal handler that interrupts any of it may call all of it.
 */
#ifndef SETTLE_PROCESS_H
#define SETTLE_PROCESS_H

#include "base/sys.h"

#include <pthread.h>
#include <stdatomic.h>

struct process_books {
    /* pid. 0 at first, in a fork child, too, and written once by whoever asks process_at_home
     * first, with a compare-and-swap (or by books_start). Sequentially consistent: what is looked
     * up in the books after it was found to be this process's must not be what was there before. */
    _Atomic int home;
};

/* Of the calling process. libc's functions by which a fork child is told from a vfork child; NULL,
 * as without this call, where it lacks them: glibc before 2.34 has the second one only where
 * libpthread is loaded. At start. */
typedef pthread_t process_self(void);
typedef int process_clock(pthread_t thread, clockid_t *clock);
void process_start(process_self *pthread_self, process_clock *pthread_getcpuclockid);

/* True in the process that the books describe. A vfork child is not at home, a fork child is (with
 * empty books), unless it was made by a raw system call. */
bool process_at_home(void);

/* The pid of the process that the books describe; 0 where nobody has called process_at_home yet, or
 * since a fork has emptied them. */
int process_home(void);

/* Whether they also describe the descriptors of the calling thread. */
bool process_thread_at_home(void);

/* The same as process_home where they do, and 0 where they do not. */
int process_of_thread(void);

/* Whether the calling thread has a table of its own in this process; no system call. */
bool process_thread_has_left(void);

/* The calling thread has left the table of descriptors that it shared (CLOSE_RANGE_UNSHARE). */
void process_thread_left(void);

/* Makes pages of zeros, which a fork empties, for a pointer that has none; false without memory.
 * Open path only. */
bool process_publish(void *_Atomic *pointer, size_t size);

/* Around each change of the books: a signal handler may fork, or leave by longjmp, and a thread may
 * be cancelled, but not in the middle of it. */
sys_sigset process_hold_signals(void);
void process_let_signals(sys_sigset old);

/* The program is about to filter its own system calls: from here on no thread is at home, in this
 * process and its children, which costs not even the question whose process this is. */
void process_stop(bool stopped);
bool process_is_stopped(void);

#endif
