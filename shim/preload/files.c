/* Descriptors: how a program gets them, copies them and closes them. */
#include "base/sys.h"
#include "preload/cancel.h"
#include "preload/hooks.h"
#include "preload/real.h"
#include "track/track.h"
#include "track/use.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* --- open --- */

/* Descriptors that the program has closed and that are open still (track/keep.h) are there for it
 * again: one of the same file instead of a new one, and their numbers where it has no others. */
static bool made_room(void)
{
    int saved = errno;
    bool made = saved == EMFILE && track_make_room();
    errno = saved;
    return made;
}

/* Of what may be a store before it is emptied, since what destroys waits first; beside closes that
 * are put off; where a setting has more to ask. */
#define OPEN_SELDOM(name, parameters, dir, call)                                                   \
    static __attribute__((noinline)) int name##_seldom parameters                                  \
    {                                                                                              \
        if ((flags & O_TRUNC) != 0)                                                                \
            use_truncating(dir, path);                                                             \
        int fd = keep_possible() ? track_take_up(dir, path, flags) : -1;                           \
        if (fd < 0)                                                                                \
            fd = call;                                                                             \
        if (__builtin_expect(fd < 0, 0) && made_room())                                            \
            fd = call;                                                                             \
        track_opened(fd, dir, path, flags);                                                        \
        return fd;                                                                                 \
    }

/* The real call and the look that follows, in several ways, so that of each open as little is asked
 * as can be: in a process that has had no store; and beside a store and nothing else, by the flags.
 */
#define OPEN_WAYS(name, parameters, arguments, dir, call)                                          \
    static __attribute__((noinline)) int name##_by_name parameters                                 \
    {                                                                                              \
        int fd = call;                                                                             \
        return fd >= 0 && track_writes_store(fd, path) ? track_look_at(fd, dir, path) : fd;        \
    }                                                                                              \
    static __attribute__((noinline)) int name##_by_link parameters                                 \
    {                                                                                              \
        int fd = call;                                                                             \
        return fd >= 0 && (profile_ending_possible(path) || track_is_link(dir, path))              \
                   ? track_look_at(fd, dir, path)                                                  \
                   : fd;                                                                           \
    }                                                                                              \
    static __attribute__((noinline)) int name##_reading parameters                                 \
    {                                                                                              \
        int fd = call;                                                                             \
        return fd >= 0 && track_reads_store(fd) ? track_look_at(fd, dir, path) : fd;               \
    }                                                                                              \
    static __attribute__((noinline)) int name##_writing parameters                                 \
    {                                                                                              \
        int fd = call;                                                                             \
        return fd >= 0 && (track_writes_store(fd, path) || track_is_link(dir, path))               \
                   ? track_look_at(fd, dir, path)                                                  \
                   : fd;                                                                           \
    }                                                                                              \
    OPEN_SELDOM(name, parameters, dir, call)                                                       \
    static __attribute__((noinline)) int name##_emptying parameters                                \
    {                                                                                              \
        if (!track_is_stranger(dir, path))                                                         \
            return name##_seldom arguments;                                                        \
        int fd = call;                                                                             \
        return __builtin_expect(handle_possible_again(fd), 0) ? track_look_at(fd, dir, path) : fd; \
    }                                                                                              \
    static __attribute__((noinline)) int name##_quietly parameters                                 \
    {                                                                                              \
        return (flags & O_ACCMODE) == O_RDONLY || track_opens_no_link(flags)                       \
                   ? name##_by_name arguments                                                      \
                   : name##_by_link arguments;                                                     \
    }                                                                                              \
    static inline int name##_by parameters                                                         \
    {                                                                                              \
        const uint32_t asks = track_asked();                                                       \
        if (asks != TRACK_ASKS_SEEN)                                                               \
            return asks == 0 ? name##_quietly arguments : name##_seldom arguments;                 \
        if ((flags & O_TRUNC) != 0)                                                                \
            return name##_emptying arguments;                                                      \
        if ((flags & O_ACCMODE) == O_RDONLY)                                                       \
            return name##_reading arguments;                                                       \
        return track_opens_no_link(flags) ? name##_by_name arguments : name##_writing arguments;   \
    }

/* With a mode in any case, which in both architectures lies where a variable argument would: where
 * the program gave none it is whatever was there, and the real function does not look at it. To
 * fetch it only where the flags tell of one takes more than all the rest. */
#define OPEN(name)                                                                                 \
    OPEN_WAYS(name, (const char *path, int flags, mode_t mode), (path, flags, mode), AT_FDCWD,     \
              real.name(path, flags, mode))                                                        \
    EXPORT int settle_##name(const char *path, int flags, mode_t mode) __asm__(#name);             \
    int settle_##name(const char *path, int flags, mode_t mode)                                    \
    {                                                                                              \
        return name##_by(path, flags, mode);                                                       \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
    OPEN_WAYS(name, (int dir, const char *path, int flags, mode_t mode), (dir, path, flags, mode), \
              dir, real.name(dir, path, flags, mode))                                              \
    EXPORT int settle_##name(int dir, const char *path, int flags, mode_t mode) __asm__(#name);    \
    int settle_##name(int dir, const char *path, int flags, mode_t mode)                           \
    {                                                                                              \
        return name##_by(dir, path, flags, mode);                                                  \
    }
OPENAT(openat)
OPENAT(openat64)

#define CREAT(name)                                                                                \
    EXPORT int name(const char *path, mode_t mode)                                                 \
    {                                                                                              \
        use_truncating(AT_FDCWD, path);                                                            \
        int fd = real.name(path, mode);                                                            \
        track_opened(fd, AT_FDCWD, path, O_WRONLY);                                                \
        return fd;                                                                                 \
    }
CREAT(creat)
CREAT(creat64)

/* Called by few: they need not be as quick. */
#define OPEN_2(name)                                                                               \
    OPEN_SELDOM(name, (const char *path, int flags), AT_FDCWD, real.name(path, flags))             \
    EXPORT int name(const char *path, int flags)                                                   \
    {                                                                                              \
        return name##_seldom(path, flags);                                                         \
    }
OPEN_2(__open_2)
OPEN_2(__open64_2)

#define OPENAT_2(name)                                                                             \
    OPEN_SELDOM(name, (int dir, const char *path, int flags), dir, real.name(dir, path, flags))    \
    EXPORT int name(int dir, const char *path, int flags)                                          \
    {                                                                                              \
        return name##_seldom(dir, path, flags);                                                    \
    }
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)

bool hooks_has_closed(int fd)
{
    track_called(fd);
    bool closed = track_has_put_off(fd);
    if (closed)
        errno = EBADF;
    return closed;
}

/* --- copies --- */

EXPORT int dup(int fd)
{
    if (hooks_is_bad(fd))
        return -1;
    return track_duplicated(fd, real.dup(fd));
}

/* Of two that are in no book. */
static int duplicated_quietly(int from, int result)
{
    track_duplicated(from, result);
    return result;
}

/* Both close what `to` was. */
static int duplicated_over(int from, int to, int result, struct closing *closing)
{
    if (result < 0) {
        track_not_closed(to, closing);
    } else {
        track_duplicated(from, to);
        track_closed(closing);
    }
    return result;
}

#define DUP_OVER(name, parameters, call)                                                           \
    static __attribute__((noinline)) int name##_tracked parameters                                 \
    {                                                                                              \
        struct closing closing;                                                                    \
        track_closing_by_force(to, to, &closing);                                                  \
        return duplicated_over(from, to, call, &closing);                                          \
    }
DUP_OVER(dup2, (int from, int to), real.dup2(from, to))
DUP_OVER(dup3, (int from, int to, int flags), real.dup3(from, to, flags))

EXPORT int dup2(int from, int to)
{
    if (hooks_is_bad(from))
        return -1;
    if (from != to && (handle_possible(from) || handle_or_reader(to)))
        return dup2_tracked(from, to);
    return duplicated_quietly(from, real.dup2(from, to));
}

EXPORT int dup3(int from, int to, int flags)
{
    if (hooks_is_bad(from))
        return -1;
    if (from != to && (handle_possible(from) || handle_or_reader(to)))
        return dup3_tracked(from, to, flags);
    return duplicated_quietly(from, real.dup3(from, to, flags));
}

/* --- close --- */

static int put_off(struct closing *closing)
{
    int saved = errno;
    int error = track_put_off(closing);
    errno = error == 0 ? saved : error;
    return error == 0 ? 0 : -1;
}

static int close_uncancelled(int fd, int (*real_close)(int), bool cancellable)
{
    if (!cancellable)
        return real_close(fd);
    const int state = cancel_hold();
    const int result = real_close(fd);
    cancel_let(state);
    return result;
}

static __attribute__((noinline)) int close_tracked(int fd, int (*real_close)(int), bool cancellable)
{
    struct closing closing;
    if (hooks_is_bad(fd))
        return -1;
    int result = track_closing(fd, &closing) ? put_off(&closing)
                                             : close_uncancelled(fd, real_close, cancellable);
    track_closed(&closing);
    return result;
}

/* The look comes before the frame of the close: both take of the program's stack. */
static __attribute__((noinline)) int close_known(int fd, int (*real_close)(int))
{
    const bool cancellable =
        cancel_is_possible() && real_close == real.close; /* not by syscall(2) */
    if (cancellable)
        cancel_point();
    if (handle_possible(fd) || !track_closing_reader(fd)) {
        track_called(fd);
        return close_tracked(fd, real_close, cancellable);
    }
    const int result = close_uncancelled(fd, real_close, cancellable);
    track_closed_reader(fd);
    return result;
}

static inline int close_by(int (*real_close)(int), int fd)
{
    return __builtin_expect(!handle_or_reader(fd), 1) ? real_close(fd)
                                                      : close_known(fd, real_close);
}

EXPORT int close(int fd)
{
    return close_by(real.close, fd);
}

/* What a program calls as syscall(SYS_close, ...) goes on as that: it is no cancellation point, and
 * the close of another preloaded library may be just this call and must not be called by it. */
static int close_by_call(int fd)
{
    return (int)real.syscall(SYS_close, fd);
}

int hooks_close_by_number(int fd)
{
    return close_by(close_by_call, fd);
}

/* --- descriptors to elsewhere, and from there --- */

/* A message is the kernel's to read first, since the program may have given an address of none
 * (EFAULT). Whoever gets a descriptor has it some microseconds before that is noted. */
EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t result = real.sendmsg(fd, message, flags);
    if (result >= 0 && message->msg_controllen > 0)
        track_shared();
    return result;
}

EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    int result = real.sendmmsg(fd, messages, count, flags);
    for (int i = 0; i < result; i++)
        if (messages[i].msg_hdr.msg_controllen > 0)
            track_shared();
    return result;
}

/* CMSG_NXTHDR calls a function that musl lacks where nothing is inlined. */
static struct cmsghdr *next_header(const struct msghdr *message, struct cmsghdr *c)
{
    size_t at = (size_t)((char *)c - (char *)message->msg_control);
    size_t step = CMSG_ALIGN(c->cmsg_len);
    if (c->cmsg_len < sizeof *c || message->msg_controllen - at < step + sizeof *c)
        return NULL;
    return (struct cmsghdr *)((char *)c + step);
}

static void received(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = next_header(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            track_received(fd);
        }
    }
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t result = real.recvmsg(fd, message, flags);
    if (result >= 0 && message->msg_controllen > 0)
        received(message);
    return result;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                    struct timespec *timeout)
{
    int result = real.recvmmsg(fd, messages, count, flags, timeout);
    for (int i = 0; i < result; i++)
        if (messages[i].msg_hdr.msg_controllen > 0)
            received(&messages[i].msg_hdr);
    return result;
}
