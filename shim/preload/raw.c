#include "preload/raw.h"

#include "base/sys.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/resource.h>

static long returned(long result)
{
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

int raw_open(const char *path, int flags, ...)
{
    TAKE_MODE(flags)
    return (int)returned(sys_openat(AT_FDCWD, path, flags, mode));
}

int raw_openat(int dir, const char *path, int flags, ...)
{
    TAKE_MODE(flags)
    return (int)returned(sys_openat(dir, path, flags, mode));
}

int raw_creat(const char *path, mode_t mode)
{
    return raw_open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int raw_dup(int fd)
{
    return (int)returned(sys_call(SYS_dup, fd, 0, 0, 0, 0, 0));
}

int raw_dup3(int from, int to, int flags)
{
    return (int)returned(sys_call(SYS_dup3, from, to, flags, 0, 0, 0));
}

int raw_dup2(int from, int to)
{
    if (from == to) /* an error for dup3 */
        return sys_fcntl(from, F_GETFD, 0) < 0 ? (int)returned(-EBADF) : to;
    return raw_dup3(from, to, 0);
}

int raw_fcntl(int fd, int command, ...)
{
    va_list list;
    va_start(list, command);
    long argument = va_arg(list, long);
    va_end(list);
    return (int)returned(sys_fcntl(fd, command, argument));
}

int raw_mkdir(const char *path, mode_t mode)
{
    return (int)returned(sys_call(SYS_mkdirat, AT_FDCWD, (long)path, mode, 0, 0, 0));
}

int raw_unlinkat(int dir, const char *path, int flags)
{
    return (int)returned(sys_call(SYS_unlinkat, dir, (long)path, flags, 0, 0, 0));
}

int raw_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return (int)returned(sys_call(SYS_renameat2, from_dir, (long)from, to_dir, (long)to, flags, 0));
}

int raw_execveat(int dir, const char *path, char *const *arguments, char *const *environment,
                 int flags)
{
    return (int)returned(
        sys_call(SYS_execveat, dir, (long)path, (long)arguments, (long)environment, flags, 0));
}

int raw_execve(const char *path, char *const *arguments, char *const *environment)
{
    return (int)returned(
        sys_call(SYS_execve, (long)path, (long)arguments, (long)environment, 0, 0, 0));
}

int raw_flock(int fd, int operation)
{
    return (int)returned(sys_flock(fd, operation));
}

int raw_close(int fd)
{
    return (int)returned(sys_close(fd));
}

int raw_close_range(unsigned first, unsigned last, int flags)
{
    return (int)returned(sys_close_range(first, last, (unsigned)flags));
}

/* By the limit of descriptors where the kernel has no close_range (before Linux 5.9), but by no
 * more than the kernel gives by default: a container's limit may be a billion. */
void raw_closefrom(int first)
{
    const rlim_t most = 1048576;
    struct rlimit limit = {most, most};
    unsigned from = first < 0 ? 0 : (unsigned)first;
    if (sys_close_range(from, UINT_MAX, 0) == 0)
        return;
    sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0);
    for (unsigned fd = from; fd < limit.rlim_cur && fd < most; fd++)
        sys_close((int)fd);
}

ssize_t raw_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return returned(sys_call(SYS_sendmsg, fd, (long)message, flags, 0, 0, 0));
}

int raw_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return (int)returned(sys_call(SYS_sendmmsg, fd, (long)messages, count, flags, 0, 0));
}

ssize_t raw_recvmsg(int fd, struct msghdr *message, int flags)
{
    return returned(sys_call(SYS_recvmsg, fd, (long)message, flags, 0, 0, 0));
}

int raw_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                 struct timespec *timeout)
{
    return (int)returned(
        sys_call(SYS_recvmmsg, fd, (long)messages, count, flags, (long)timeout, 0));
}

int raw_prctl(int option, ...)
{
    va_list list;
    long a[4];
    va_start(list, option);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    return (int)returned(sys_call(SYS_prctl, option, a[0], a[1], a[2], a[3], 0));
}

long raw_syscall(long number, ...)
{
    va_list list;
    long a[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    return returned(sys_call(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}
