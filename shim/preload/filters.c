/* What the program forbids itself, and could be killed for if the library did it after that: system
 * calls (seccomp(2)), and to read the time without one. */
#include "base/clock.h"
#include "preload/hooks.h"
#include "preload/real.h"
#include "track/track.h"

#include <linux/seccomp.h>
#include <stdarg.h>

EXPORT int prctl(int option, ...)
{
    va_list list;
    unsigned long a[4];
    va_start(list, option);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(list, unsigned long);
    va_end(list);
    if (option == PR_SET_TSC && a[0] == PR_TSC_SIGSEGV)
        clock_by_system_call();
    if (option != PR_SET_SECCOMP)
        return real.prctl(option, a[0], a[1], a[2], a[3]);
    bool stopped = track_stop();
    int result = real.prctl(option, a[0], a[1], a[2], a[3]);
    if (result < 0)
        track_go_on(stopped);
    return result;
}

/* Another preloaded library's prctl may be made of this. */
long hooks_prctl_by_number(long option, long b, long c, long d, long e)
{
    if (option == PR_SET_TSC && b == PR_TSC_SIGSEGV)
        clock_by_system_call();
    bool stopped = option == PR_SET_SECCOMP && track_stop();
    long result = real.syscall(SYS_prctl, option, b, c, d, e);
    if (result < 0)
        track_go_on(stopped);
    return result;
}

/* SECCOMP_GET_ACTION_AVAIL and its like ask only. Flags for the strict mode, and a filter at NULL,
 * are how libraries ask what the kernel can do. */
long hooks_seccomp_by_number(long operation, long flags, long argument)
{
    const bool all_threads = operation == SECCOMP_SET_MODE_FILTER &&
                             ((unsigned long)flags & SECCOMP_FILTER_FLAG_TSYNC) != 0;
    bool installs = (operation == SECCOMP_SET_MODE_STRICT && flags == 0) ||
                    (operation == SECCOMP_SET_MODE_FILTER && argument != 0);
    bool stopped = installs && track_stop();
    if (stopped && all_threads)
        track_leave_waits();
    long result = real.syscall(SYS_seccomp, operation, flags, argument);
    const bool refused_by_thread =
        all_threads && result > 0 && ((unsigned long)flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0;
    if (result < 0 || refused_by_thread)
        track_go_on(stopped);
    return result;
}
