/* The filter under which the program runs: which of its system calls the supervisor is asked about
 * (seccomp_unotify(2)). */
#ifndef SETTLE_FILTER_H
#define SETTLE_FILTER_H

#include <stdbool.h>

/* Puts it on this thread and what it becomes; exits: its end is asked about, too. Sets
 * no_new_privs only where it must, since under that a program in it gains no rights. Returns the
 * listener, close-on-exec, or -errno; *why: what that means here and what to do. */
int filter_install(bool exits, const char **why);

#endif
