/* The true time, in ns. Not by libc's clock_gettime: libfaketime and its like replace that, and a
 * wait must end by the true clock. It is asked of the code that the kernel maps into each process
 * (vdso(7)), where there is such: a close with its wait asks eight times. Usable in signal handlers
 * and in a helper. */
#ifndef SETTLE_CLOCK_H
#define SETTLE_CLOCK_H

#include <time.h>

struct timespec clock_read(clockid_t clock);

#endif
