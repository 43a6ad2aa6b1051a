/* The exported functions: bookkeeping, the real function, and nothing else. Each keeps the real
 * function's result and errno. They are in files.c, ranges.c, streams.c, locks.c, names.c,
 * processes.c, connections.c, fstat.c and filters.c; what comes through syscall(2) by its number
 * goes by syscall.c to the same. */
#ifndef SETTLE_HOOKS_H
#define SETTLE_HOOKS_H

#include "track/possible.h"

#include <stdbool.h>

#define EXPORT __attribute__((visibility("default")))
#define FRAME  __builtin_frame_address(0)

/* Whether the program has closed this descriptor, though it is open (track/keep.h): then sets errno
 * to EBADF. */
bool hooks_has_closed(int fd);

static inline bool hooks_is_bad(int fd)
{
    return __builtin_expect(handle_possible(fd), 0) && hooks_has_closed(fd);
}

/* What syscall(number, ...) does of these, through the real syscall. */
int hooks_close_by_number(int fd);
int hooks_close_range_by_number(unsigned first, unsigned last, int flags);
long hooks_prctl_by_number(long option, long b, long c, long d, long e);
long hooks_seccomp_by_number(long operation, long flags, long argument);

#endif
