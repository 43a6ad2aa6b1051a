/* Locks: fcntl, which also copies descriptors, flock and lockf. */
#include "preload/hooks.h"
#include "preload/real.h"
#include "track/track.h"

#include <stdarg.h>

/* A call of fcntl has succeeded. */
static void commanded(int fd, int command, void *argument)
{
    const struct flock *lock = argument;
    switch (command) {
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        track_locked(fd, command, lock, lock->l_type != F_UNLCK);
        break;
    case F_SETLEASE:
        track_locked(fd, command, NULL, (intptr_t)argument != F_UNLCK);
        break;
    default:
        break;
    }
}

/* What a lock on a descriptor of which nothing is known may be: a lock that needs no right to write.
 */
static bool may_be_readers(int command, const void *argument)
{
    const struct flock *lock = argument;
    switch (command) {
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return lock->l_type == F_RDLCK;
    default:
        return command == F_SETLEASE;
    }
}

#define FCNTL(name)                                                                                \
    EXPORT int name(int fd, int command, ...)                                                      \
    {                                                                                              \
        va_list list;                                                                              \
        va_start(list, command);                                                                   \
        void *argument = va_arg(list, void *);                                                     \
        va_end(list);                                                                              \
        if (hooks_is_bad(fd))                                                                      \
            return -1;                                                                             \
        const bool locks = command == F_SETLK || command == F_SETLKW;                              \
        const bool begun = locks && track_locking(fd, command, argument);                          \
        int result = real.name(fd, command, argument);                                             \
        if (result >= 0 && may_be_readers(command, argument) && !handle_possible(fd))              \
            track_reader_locked(fd);                                                               \
        if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)                                      \
            track_duplicated(fd, result);                                                          \
        else if (result >= 0 && handle_possible(fd))                                               \
            commanded(fd, command, argument);                                                      \
        if (begun)                                                                                 \
            track_lock_ended();                                                                    \
        return result;                                                                             \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

EXPORT int flock(int fd, int operation)
{
    if (hooks_is_bad(fd))
        return -1;
    int result = real.flock(fd, operation);
    if (result == 0 && (operation & LOCK_UN) == 0 && !handle_possible(fd))
        track_reader_locked(fd);
    if (result == 0 && handle_possible(fd))
        track_locked(fd, 0, NULL, (operation & LOCK_UN) == 0);
    return result;
}

/* libc makes it of fcntl, and not by way of ours. */
#define LOCKF(name)                                                                                \
    EXPORT int name(int fd, int command, off_t length)                                             \
    {                                                                                              \
        if (hooks_is_bad(fd))                                                                      \
            return -1;                                                                             \
        int result = real.name(fd, command, length);                                               \
        if (result == 0 && handle_possible(fd) && command != F_TEST)                               \
            track_locked(fd, 0, NULL, command != F_ULOCK);                                         \
        return result;                                                                             \
    }
LOCKF(lockf)
LOCKF(lockf64)
