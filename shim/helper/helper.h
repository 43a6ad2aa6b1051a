/* A helper thread with a descriptor table of its own.
 *
 * POSIX locks belong to the pair of inode and descriptor table: when a process closes any
 * descriptor of a file, all its locks on that file are gone (fcntl(2), "Record locks"). A library
 * that opened and closed the database to look at it would silently unlock the program's own
 * connections. The helper therefore leaves the program's table before it opens anything: its closes
 * drop nothing, its descriptors take no number of the program's, and it sees the program's locks as
 * those of somebody else.
 *
 * The thread is made by a raw clone: no stack from malloc, no thread-local storage, no entry in
 * libc's lists, all signals blocked. So it can be made on any close, even in a signal handler.
 *
 * Under a seccomp filter it is a process that shares the memory instead of a thread (seccomp.h).
 */
#ifndef SETTLE_HELPER_H
#define SETTLE_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct helper;

/* Around functions that only a helper calls. Its stack has room, and link-time optimisation may put
 * paths of other rooms there: the compiler's limit of a frame (build.mk) is for the program's. */
#define HELPER_STACK_BEGIN                                                                         \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wframe-larger-than=\"")
#define HELPER_STACK_END _Pragma("GCC diagnostic pop")

/* A helper with room for a request of `size` bytes, zeroed; NULL if the kernel gives no memory. */
struct helper *helper_new(size_t size);

/* The request's memory. */
void *helper_request(struct helper *h);

/* Runs work(request) in a thread with an empty descriptor table and waits until it has ended or the
 * deadline (clock_now) is past. Signal handlers of the caller run during the wait, and the wait
 * goes on. Keeps errno. Returns 0, or
 *   ETIMEDOUT        the deadline is past;
 *   EAGAIN, ENOMEM   no thread could be made;
 *   ENOSYS, EPERM    no thread or no close_range (Linux before 5.9, or a filter);
 *   ENOTSUP          not tried, since a filter may kill the program for it;
 *   ECANCELED        a filter killed the helper;
 *   ESRCH            this is a fork child of the caller, made in a signal handler. */
int helper_run(struct helper *h, void (*work)(void *request), uint64_t deadline);

/* The same, and SIGINT or SIGTERM ends it (interruption.h):
 *   EINTR            one of them came; its handler has run if it is this thread's to run.
 * The helper is told to stop and left to itself. */
int helper_run_interruptibly(struct helper *h, void (*work)(void *request), uint64_t deadline);

/* Whether work need not go on, since nobody waits for its result any more: to be asked in the
 * helper, again and again. It also looks for signals that end the wait, and wakes whoever waits: so
 * that one need not wake up to look for them. */
bool helper_is_told_to_stop(struct helper *h);

/* Begins work(request) in such a thread and does not wait for it. Returns 0, or an error as
 * helper_run has them; ENOTSUP under a filter. */
int helper_begin(struct helper *h, void (*work)(void *request));

/* Whether its thread has not ended; until then the memory is the thread's. */
bool helper_is_running(const struct helper *h);

/* Whether a helper that has ended, or that goes on by itself, is a thread still. */
bool helper_threads_are_there(void);

/* Whether this process has threads besides the caller; helpers that have ended, or were begun, are
 * none. False without /proc. */
bool helper_other_threads(void);

/* Whether it has more than `known` threads, without such helpers. */
bool helper_threads_besides(unsigned known);

/* In a process of one thread, until helpers that have ended are none of its threads any more (the
 * kernel takes up to 24 ms to close a watch, and more on a busy machine): before a call that minds
 * how many there are. For 250 ms at most. Keeps errno. */
void helper_await_ended(void);

/* Gives the memory back; that of a helper which still uses it, since it overran its deadline or was
 * told to stop, once a later one finds that it has ended. */
void helper_free(struct helper *h);

#endif
