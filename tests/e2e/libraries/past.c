/* A library that is preloaded before settle and goes past it, as torsocks, fiu-run and
 * socket_wrapper do, which have libc by dlopen: its close is libc's, or with OPENS its open and
 * close. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/types.h>
#include <unistd.h>

static void *libc_function(const char *name)
{
    return dlsym(dlopen("libc.so.6", RTLD_LAZY), name);
}

int close(int fd)
{
    return ((int (*)(int))libc_function("close"))(fd);
}

#ifdef OPENS
static int open_by(const char *name, const char *path, int flags, mode_t mode)
{
    return ((int (*)(const char *, int, ...))libc_function(name))(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = va_arg(list, mode_t);
    va_end(list);
    return open_by("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = va_arg(list, mode_t);
    va_end(list);
    return open_by("open64", path, flags, mode);
}
#endif
