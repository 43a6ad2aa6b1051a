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
#ifndef SETTLE_FILTER_H
#define SETTLE_FILTER_H

#include <stdbool.h>

/* Whether this process was started under a filter. The first call opens a file in the program's
 * table, a descriptor number that another thread may miss for a moment: so it is made when the
 * first store is opened. Later calls cost a load. */
bool filter_is_on(void);

/* Whether clone is known to pass the filter: the process has forked or has threads; its parent has
 * as many filters as it has, so it made this process under them; or the parent is out of sight, as
 * that of a container's first process, made by a runtime whose filters answer with errors. */
bool filter_allows_clone(void);

#endif
