/* Locks: fcntl, which also copies descriptors, flock and lockf. */
#include "preload/hooks.h"
#include "preload/real.h"
#include "track/track.h"

#include <errno.h>
#include <stdarg.h>

/* What a call that failed says by its errno: somebody else has the lock. */
static bool is_refusal(void)
{
    return errno == EAGAIN || errno == EACCES;
}

static bool is_record_lock(int command)
{
    return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK ||
           command == F_OFD_SETLKW;
}

static void commanded(int fd, int command, void *argument, bool done)
{
    const struct flock *lock = argument;
    if (is_record_lock(command) && done)
        track_locked(fd, command, lock, lock->l_type);
    else if (is_record_lock(command) && is_refusal())
        track_refused(fd);
    else if (command == F_SETLEASE && done)
        track_locked(fd, command, NULL, (short)(intptr_t)argument);
}

/* What a lock on a descriptor of which nothing is known may be: a lock that needs no right to
 * write.
 */
static bool may_be_readers(int command, const void *argument)
{
    const struct flock *lock = argument;
    return is_record_lock(command) ? lock->l_type == F_RDLCK : command == F_SETLEASE;
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
        const uint64_t begun = locks ? track_locking(fd, command, argument) : 0;                   \
        int result = real.name(fd, command, argument);                                             \
        if (result >= 0 && may_be_readers(command, argument) && !handle_possible(fd))              \
            track_reader_locked(fd);                                                               \
        if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)                                      \
            track_duplicated(fd, result);                                                          \
        else if (handle_possible(fd))                                                              \
            commanded(fd, command, argument, result >= 0);                                         \
        if (begun != 0)                                                                            \
            track_lock_ended(begun);                                                               \
        return result;                                                                             \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

static short type_of(int operation)
{
    if ((operation & LOCK_UN) != 0)
        return F_UNLCK;
    return (operation & LOCK_EX) != 0 ? F_WRLCK : F_RDLCK;
}

EXPORT int flock(int fd, int operation)
{
    if (hooks_is_bad(fd))
        return -1;
    int result = real.flock(fd, operation);
    if (result == 0 && (operation & LOCK_UN) == 0 && !handle_possible(fd))
        track_reader_locked(fd);
    if (!handle_possible(fd))
        return result;
    if (result == 0)
        track_locked(fd, 0, NULL, type_of(operation));
    else if (is_refusal())
        track_refused(fd);
    return result;
}

/* libc makes it of fcntl, and not by way of ours. */
#define LOCKF(name)                                                                                \
    EXPORT int name(int fd, int command, off_t length)                                             \
    {                                                                                              \
        if (hooks_is_bad(fd))                                                                      \
            return -1;                                                                             \
        int result = real.name(fd, command, length);                                               \
        if (!handle_possible(fd) || command == F_TEST)                                             \
            return result;                                                                         \
        if (result == 0)                                                                           \
            track_locked(fd, 0, NULL, command == F_ULOCK ? F_UNLCK : F_WRLCK);                     \
        else if (is_refusal())                                                                     \
            track_refused(fd);                                                                     \
        return result;                                                                             \
    }
LOCKF(lockf)
LOCKF(lockf64)
