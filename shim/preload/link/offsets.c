/* Compiled to assembly only: shim/build.mk makes preload/offsets.h of the marked lines,
 * for tail_calls.S. */
#include "preload/real.h"

#include <stddef.h>

#define OFFSET(name, member)                                                                       \
    __asm__ volatile("\n#offset " #name " %c0" : : "i"(offsetof(union real, member)))

void offsets(void);
void offsets(void)
{
    OFFSET(REAL_DLOPEN, dlopen);
    OFFSET(REAL_SYSCALL, syscall);
    OFFSET(REAL_VFORK, vfork);
}
