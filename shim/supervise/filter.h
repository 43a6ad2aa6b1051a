/* The filter under which the program runs: which of its system calls the supervisor is asked about
 * (seccomp_unotify(2)). */
#ifndef SETTLE_FILTER_H
#define SETTLE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

/* Its instructions; returns how many. It looks at nothing but the architecture and the number of a
 * call: so the kernel knows once and for all which calls it lets pass, and does not run it for
 * those (seccomp_cache_prepare, Linux 5.11). exits: the end of a process is asked about, too. */
enum { FILTER_MOST = 10 };
unsigned filter_write(struct sock_filter code[FILTER_MOST], bool exits);

/* Puts it on this thread and what it becomes. Sets no_new_privs only where it must, since under
 * that a program in it gains no rights. Returns the listener, close-on-exec, or -errno; *why: what
 * that means here and what to do. */
int filter_install(bool exits, const char **why);

#endif
