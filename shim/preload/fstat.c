/* What the program asks of a descriptor, and need not be asked again (track/later.h). */

/* Before 2.33 glibc's header has fstat as an inline function, which clang takes for ours. */
#define __NO_INLINE__ 1 // NOLINT(bugprone-reserved-identifier)

#include "preload/hooks.h"
#include "preload/real.h"
#include "track/track.h"

#include <errno.h>

typedef int fstat_function(int fd, struct stat *st);
static __attribute__((noinline)) int fstat_tracked(int fd, struct stat *st, fstat_function *of_libc)
{
    if (track_has_put_off(fd)) {
        errno = EBADF;
        return -1;
    }
    int result = of_libc(fd, st);
    if (result == 0)
        track_told(fd, st);
    return result;
}

/* One struct, where a long has 64 bits. */
#define FSTAT(name, type)                                                                          \
    EXPORT int name(int fd, struct type *st)                                                       \
    {                                                                                              \
        return __builtin_expect(!handle_possible(fd), 1)                                           \
                   ? real.name(fd, st)                                                             \
                   : fstat_tracked(fd, (struct stat *)st, (fstat_function *)real.name);            \
    }
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)
