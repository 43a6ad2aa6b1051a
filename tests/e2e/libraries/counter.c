/* A preloaded library that hooks the names that settle hooks, counts the calls, and prints the
 * counts when it ends. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static unsigned opens, streams, copies, commands, closes, stream_closes;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define COUNT_OPEN(name)                                                                           \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode_t mode = va_arg(list, mode_t);                                                        \
        va_end(list);                                                                              \
        opens++;                                                                                   \
        return NEXT(name)(path, flags, mode);                                                      \
    }
COUNT_OPEN(open)
COUNT_OPEN(open64)

#define COUNT_FOPEN(name)                                                                          \
    FILE *name(const char *path, const char *mode)                                                 \
    {                                                                                              \
        streams++;                                                                                 \
        return NEXT(name)(path, mode);                                                             \
    }
COUNT_FOPEN(fopen)
COUNT_FOPEN(fopen64)

#define COUNT_FCNTL(name)                                                                          \
    int name(int fd, int command, ...)                                                             \
    {                                                                                              \
        va_list list;                                                                              \
        va_start(list, command);                                                                   \
        void *argument = va_arg(list, void *);                                                     \
        va_end(list);                                                                              \
        commands++;                                                                                \
        return NEXT(name)(fd, command, argument);                                                  \
    }
COUNT_FCNTL(fcntl)
COUNT_FCNTL(fcntl64)

int dup(int fd)
{
    copies++;
    return NEXT(dup)(fd);
}

int close(int fd)
{
    closes++;
    return NEXT(close)(fd);
}

int fclose(FILE *stream)
{
    stream_closes++;
    return NEXT(fclose)(stream);
}

static __attribute__((destructor)) void end(void)
{
    dprintf(1, "opens %u, streams %u, copies %u, commands %u, closes %u, stream closes %u\n", opens,
            streams, copies, commands, closes, stream_closes);
}
