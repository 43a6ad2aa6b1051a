/* The real functions behind the exported ones. */
#ifndef SETTLE_REAL_H
#define SETTLE_REAL_H

#include "preload/symbols.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Fortified variants have no declaration of their own (the compiler puts them in for open and
 * openat). */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);

/* Of glibc alone. */
const char *gnu_get_libc_version(void);

/* Of glibc since 2.34, and not declared by older ones. */
int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags);
int close_range(unsigned first, unsigned last, int flags);
void closefrom(int first);
pid_t _Fork(void);

#define DECLARE_REAL(name) __typeof__(&name) name;
#define COUNT_REAL(name)   +1
enum { REAL_COUNT = 0 SETTLE_LIBC_SYMBOLS(COUNT_REAL) SETTLE_CALLED_SYMBOLS(COUNT_REAL) };
enum { REAL_LATE = 0 SETTLE_LATE_SYMBOLS(COUNT_REAL) };
union real {
    struct {
        SETTLE_LIBC_SYMBOLS(DECLARE_REAL)
        SETTLE_CALLED_SYMBOLS(DECLARE_REAL)
        SETTLE_LATE_SYMBOLS(DECLARE_REAL)
    };
    void *functions[REAL_COUNT + REAL_LATE]; /* the same, in the table's order */
};
#undef DECLARE_REAL
#undef COUNT_REAL

/* Callable at any time: before real_resolve, and for functions that libc lacks, the pointers lead
 * to stand-ins that make the system call or resolve first. */
extern union real real __attribute__((visibility("hidden")));

/* Finds the real functions. Runs from the constructor, from whoever calls a hook before it, and
 * again where dlsym is wanted and was not there. */
void real_resolve(void);

/* Finds the late ones, once; whoever calls one of them before it has this done. Takes no lock
 * (elf_find_later), so a fork child may. */
void real_resolve_late(void);

#endif
