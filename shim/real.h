/* The real functions behind the exported ones. */
#ifndef SETTLE_REAL_H
#define SETTLE_REAL_H

#include "symbols.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Fortified variants have no declaration of their own (the compiler puts them in for open and
 * openat). */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);

#define DECLARE_REAL(name) __typeof__(&name) name;
struct real {
    SETTLE_LIBC_SYMBOLS(DECLARE_REAL)
};
#undef DECLARE_REAL

/* Callable at any time: before real_resolve, and for functions that libc lacks, the pointers lead
 * to stand-ins that make the system call or resolve first. */
extern struct real real __attribute__((visibility("hidden")));

/* Finds the real functions. Runs once, from the constructor or from whoever calls a hook before it.
 */
void real_resolve(void);

#endif
