/* Included before a test program where its libc may lack these: glibc before 2.34, and musl. */
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define close_range(first, last, flags) (int)syscall(SYS_close_range, first, last, flags)
#define closefrom(first)                syscall(SYS_close_range, first, ~0u, 0)
#ifndef __GLIBC__
#define fcloseall() fflush(NULL)
#endif
