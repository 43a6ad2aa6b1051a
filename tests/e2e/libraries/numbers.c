/* A preloaded library whose functions are system calls by their numbers. */
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int close(int fd)
{
    return (int)syscall(SYS_close, fd);
}

int prctl(int option, ...)
{
    va_list list;
    unsigned long a[4];
    va_start(list, option);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(list, unsigned long);
    va_end(list);
    return (int)syscall(SYS_prctl, option, a[0], a[1], a[2], a[3]);
}
