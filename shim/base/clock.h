/* The true time, in ns. Not by libc's clock_gettime: libfaketime and its like replace that, and a
 * wait must end by the true clock. It is asked of the code that the kernel maps into each process
 * (vdso(7)), where there is such. Usable in signal handlers and in a helper. */
#ifndef SETTLE_CLOCK_H
#define SETTLE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* 0 for a clock that there is not. */
uint64_t clock_read(clockid_t clock);

/* From here on the kernel is asked by a system call: the program is about to forbid itself the
 * instruction by which its code reads the time (PR_SET_TSC), and would be killed for ours. */
void clock_by_system_call(void);

/* Since some time in the past; what waits are measured by. */
static inline uint64_t clock_now(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

/* Since 1970, as people read it. */
static inline uint64_t clock_wall(void)
{
    return clock_read(CLOCK_REALTIME);
}

#endif
