/* What libc's functions come to, as system calls: they stand in for the real ones before these are
 * found, and where a libc lacks one. Each sets errno, as libc's does. */
#ifndef SETTLE_RAW_H
#define SETTLE_RAW_H

#include "base/sys.h"

#include <stdarg.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* open and its kin take a mode only where the flags tell of one. */
static inline bool has_mode(int flags)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

#define TAKE_MODE(flags)                                                                           \
    unsigned mode = 0;                                                                             \
    if (has_mode(flags)) {                                                                         \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode = va_arg(list, unsigned);                                                             \
        va_end(list);                                                                              \
    }

int raw_open(const char *path, int flags, ...);
int raw_openat(int dir, const char *path, int flags, ...);
int raw_creat(const char *path, mode_t mode);
int raw_dup(int fd);
int raw_dup3(int from, int to, int flags);
int raw_dup2(int from, int to);
int raw_fcntl(int fd, int command, ...);
int raw_mkdir(const char *path, mode_t mode);
int raw_unlinkat(int dir, const char *path, int flags);
int raw_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int raw_execveat(int dir, const char *path, char *const *arguments, char *const *environment,
                 int flags);
int raw_execve(const char *path, char *const *arguments, char *const *environment);
int raw_flock(int fd, int operation);
int raw_close(int fd);
int raw_close_range(unsigned first, unsigned last, int flags);
void raw_closefrom(int first);
ssize_t raw_sendmsg(int fd, const struct msghdr *message, int flags);
int raw_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
ssize_t raw_recvmsg(int fd, struct msghdr *message, int flags);
int raw_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                 struct timespec *timeout);
int raw_prctl(int option, ...);
long raw_syscall(long number, ...);

#endif
