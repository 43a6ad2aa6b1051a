/* The seccomp filter that the program was started under.
 *
 * A filter may refuse a system call with an error, which costs a wait and no more, or kill for it,
 * which must not cost the program. Nothing tells which it would be (to read a filter needs
 * CAP_SYS_ADMIN and ptrace). So under a filter the helper is a process that shares the memory
 * instead of a thread: what kills it leaves the program alone. That leaves clone itself, which is
 * called only where something shows that the filter lets it pass.
 *
 * A filter that the program puts on itself is no business of this file: track_stop.
 */
#ifndef SETTLE_SECCOMP_H
#define SETTLE_SECCOMP_H

#include <stdbool.h>

/* The version of glibc, which must outlive the program; NULL, as without this call, is another
 * libc. At start. */
void seccomp_start(const char *version);

/* Whether this process was started under a filter. The first call opens a file in the program's
 * table, a descriptor number that another thread may miss for a moment: so it is made when the
 * first store is opened. Later calls cost a load. */
bool seccomp_is_on(void);

/* Whether the filter may kill for a system call: one that a container's runtime made answers with
 * errors. */
bool seccomp_may_kill(void);

/* How the helper can be made under the filter. */
enum seccomp_clone {
    SECCOMP_CLONE_IN_DOUBT, /* it may kill the program */
    SECCOMP_CLONE_PASSES,   /* by clone */
    SECCOMP_CLONE_AS_LIBC,  /* as libc makes threads: by clone3 where it has that */
};

/* What shows that the filter lets it pass: the process has other threads; it is the child of one
 * that was under the filter (glibc forks by clone); or the first process of its pid namespace has
 * as many filters, so it is a container's runtime that made them, and those answer with errors.
 * What a parent outside of this library did is no sign: it may have used vfork. */
enum seccomp_clone seccomp_clone(void);

#endif
