/* System calls that a program makes by their number. */
#include "base/sys.h"
#include "preload/hooks.h"

#include <sys/syscall.h>

/* tail_calls.S leads these calls of syscall() here. */
long settle_syscall(long number, long a, long b, long c, long d, long e);
long settle_syscall(long number, long a, long b, long c, long d, long e)
{
    switch (number) {
    case SYS_close:
        return hooks_close_by_number((int)a);
    case SYS_close_range:
        return hooks_close_range_by_number((unsigned)a, (unsigned)b, (int)c);
    case SYS_prctl:
        return hooks_prctl_by_number(a, b, c, d, e);
    default:
        return hooks_seccomp_by_number(a, b, c);
    }
}
