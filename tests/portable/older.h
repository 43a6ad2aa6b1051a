/* Included before a test program, whose libc may lack what the program calls. */
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#if !defined(__GLIBC__) || __GLIBC__ * 100 + __GLIBC_MINOR__ < 234
#define close_range(first, last, flags)                          (int)syscall(SYS_close_range, first, last, flags)
#define closefrom(first)                                         syscall(SYS_close_range, first, ~0u, 0)
#define posix_spawn_file_actions_addclosefrom_np(actions, first) (void)(actions)
#endif
#ifndef __GLIBC__
#define fcloseall() fflush(NULL)
#endif
