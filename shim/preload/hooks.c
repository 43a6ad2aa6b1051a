/* The exported functions: bookkeeping, the real function, and nothing else. Each keeps the real
 * function's result and errno. */
#include "base/sys.h"
#include "preload/real.h"
#include "preload/sqlite.h"
#include "track/connection.h"
#include "track/track.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define FRAME  __builtin_frame_address(0)

/* --- open --- */

static inline int opened(int fd, const char *path)
{
    track_opened(fd, path);
    return fd;
}

/* With a mode in any case, which in both architectures lies where a variable argument would: where
 * the program gave none it is whatever was there, and the real function does not look at it. To
 * fetch it only where the flags tell of one takes more than all the rest. */
#define OPEN(name)                                                                                 \
    EXPORT int settle_##name(const char *path, int flags, mode_t mode) __asm__(#name);             \
    int settle_##name(const char *path, int flags, mode_t mode)                                    \
    {                                                                                              \
        return opened(real.name(path, flags, mode), path);                                         \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
    EXPORT int settle_##name(int dir, const char *path, int flags, mode_t mode) __asm__(#name);    \
    int settle_##name(int dir, const char *path, int flags, mode_t mode)                           \
    {                                                                                              \
        return opened(real.name(dir, path, flags, mode), path);                                    \
    }
OPENAT(openat)
OPENAT(openat64)

#define CREAT(name)                                                                                \
    EXPORT int name(const char *path, mode_t mode)                                                 \
    {                                                                                              \
        return opened(real.name(path, mode), path);                                                \
    }
CREAT(creat)
CREAT(creat64)

#define OPEN_2(name)                                                                               \
    EXPORT int name(const char *path, int flags)                                                   \
    {                                                                                              \
        return opened(real.name(path, flags), path);                                               \
    }
OPEN_2(__open_2)
OPEN_2(__open64_2)

#define OPENAT_2(name)                                                                             \
    EXPORT int name(int dir, const char *path, int flags)                                          \
    {                                                                                              \
        return opened(real.name(dir, path, flags), path);                                          \
    }
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)

/* --- streams: fopen does not reach our open, nor fclose our close, in any libc --- */

/* fileno of a stream without a descriptor (fmemopen) sets errno. */
static int descriptor_of(FILE *stream)
{
    int saved = errno;
    int fd = fileno(stream);
    errno = saved;
    return fd;
}

static FILE *opened_stream(FILE *stream, const char *path)
{
    if (stream != NULL)
        track_opened(fileno(stream), path);
    return stream;
}

#define FOPEN(name)                                                                                \
    EXPORT FILE *name(const char *path, const char *mode)                                          \
    {                                                                                              \
        return opened_stream(real.name(path, mode), path);                                         \
    }
FOPEN(fopen)
FOPEN(fopen64)

/* A descriptor that came by a way of its own (over a socket, from a parent) is looked at here. */
EXPORT FILE *fdopen(int fd, const char *mode)
{
    FILE *stream = real.fdopen(fd, mode);
    if (stream != NULL && !handle_possible(fd))
        track_opened(fd, "");
    return stream;
}

/* A path of NULL changes the mode of the open file, which libc may do by opening it again. */
#define FREOPEN(name)                                                                              \
    EXPORT FILE *name(const char *path, const char *mode, FILE *stream)                            \
    {                                                                                              \
        struct closing closing;                                                                    \
        track_closing(descriptor_of(stream), &closing);                                            \
        FILE *result = real.name(path, mode, stream);                                              \
        opened_stream(result, path == NULL ? "" : path);                                           \
        track_closed(&closing);                                                                    \
        return result;                                                                             \
    }
FREOPEN(freopen)
FREOPEN(freopen64)

EXPORT int fclose(FILE *stream)
{
    int fd = descriptor_of(stream);
    if (!handle_possible(fd))
        return real.fclose(stream);
    struct closing closing;
    track_closing(fd, &closing);
    int result = real.fclose(stream);
    track_closed(&closing);
    return result;
}

/* glibc flushes the streams and leaves their descriptors open; another libc may close them. */
EXPORT int fcloseall(void)
{
    int result = real.fcloseall();
    int saved = errno;
    track_recheck();
    errno = saved;
    return result;
}

/* --- copies --- */

EXPORT int dup(int fd)
{
    int copy = real.dup(fd);
    track_duplicated(fd, copy);
    return copy;
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

EXPORT int dup2(int from, int to)
{
    if (from == to || (!handle_possible(from) && !handle_possible(to)))
        return real.dup2(from, to);
    struct closing closing;
    track_closing(to, &closing);
    return duplicated_over(from, to, real.dup2(from, to), &closing);
}

EXPORT int dup3(int from, int to, int flags)
{
    if (from == to || (!handle_possible(from) && !handle_possible(to)))
        return real.dup3(from, to, flags);
    struct closing closing;
    track_closing(to, &closing);
    return duplicated_over(from, to, real.dup3(from, to, flags), &closing);
}

#define FCNTL(name)                                                                                \
    EXPORT int name(int fd, int command, ...)                                                      \
    {                                                                                              \
        va_list list;                                                                              \
        va_start(list, command);                                                                   \
        void *argument = va_arg(list, void *);                                                     \
        va_end(list);                                                                              \
        if (command == F_SETLK || command == F_SETLKW)                                             \
            track_locking(fd);                                                                     \
        int result = real.name(fd, command, argument);                                             \
        if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)                                      \
            track_duplicated(fd, result);                                                          \
        return result;                                                                             \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

/* --- close --- */

/* What a program calls as syscall(SYS_close, ...) goes on as that: it is no cancellation point, and
 * the close of another preloaded library may be just this call and must not be called by it. */
static int raw_close(int fd)
{
    return (int)real.syscall(SYS_close, fd);
}

static int raw_close_range(unsigned first, unsigned last, int flags)
{
    return (int)real.syscall(SYS_close_range, first, last, flags);
}

static __attribute__((noinline)) int close_tracked(int fd, int (*real_close)(int))
{
    struct closing closing;
    track_closing(fd, &closing);
    int result = real_close(fd);
    track_closed(&closing);
    return result;
}

static inline int close_by(int (*real_close)(int), int fd)
{
    return __builtin_expect(!handle_possible(fd), 1) ? real_close(fd)
                                                     : close_tracked(fd, real_close);
}

EXPORT int close(int fd)
{
    return close_by(real.close, fd);
}

/* Takes all tracked descriptors of a range out. */
static void closing_range(unsigned first, unsigned last)
{
    for (int fd = handle_next(first, last); fd >= 0; fd = handle_next((unsigned)fd + 1, last)) {
        struct closing closing;
        track_closing(fd, &closing);
        track_closed(&closing);
    }
}

typedef int close_range_function(unsigned first, unsigned last, int flags);

/* With CLOSE_RANGE_UNSHARE the calling thread has a copy of the table before anything is closed;
 * only where no thread shares it is that a close like any other. */
static int close_range_in_a_copy(close_range_function *real_close_range, unsigned first,
                                 unsigned last, int flags)
{
    int result = real_close_range(first, last, flags);
    if (result == 0)
        track_left_table();
    return result;
}

static int close_range_by(close_range_function *real_close_range, unsigned first, unsigned last,
                          int flags)
{
    const int unshare = CLOSE_RANGE_UNSHARE;
    if ((flags & unshare) != 0 && track_shares_table())
        return close_range_in_a_copy(real_close_range, first, last, flags);
    /* With CLOSE_RANGE_CLOEXEC nothing is closed now. */
    if (first > last || (flags & ~unshare) != 0 || handle_next(first, last) < 0)
        return real_close_range(first, last, flags);
    /* A kernel or filter without close_range closes nothing, and then nothing may leave the table.
     * A range without descriptors tells. */
    if (real_close_range(~0u, ~0u, flags) < 0)
        return -1;
    track_defer(FRAME);
    closing_range(first, last);
    int result = real_close_range(first, last, flags);
    track_resume(FRAME);
    return result;
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    return close_range_by(real.close_range, first, last, flags);
}

EXPORT void closefrom(int first)
{
    track_defer(FRAME);
    closing_range(first < 0 ? 0 : (unsigned)first, ~0u);
    real.closefrom(first);
    track_resume(FRAME);
}

/* --- descriptors from elsewhere --- */

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
            track_opened(fd, "");
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

/* --- filters that the program puts on its own system calls --- */

EXPORT int prctl(int option, ...)
{
    va_list list;
    unsigned long a[4];
    va_start(list, option);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(list, unsigned long);
    va_end(list);
    if (option != PR_SET_SECCOMP)
        return real.prctl(option, a[0], a[1], a[2], a[3]);
    bool stopped = track_stop();
    int result = real.prctl(option, a[0], a[1], a[2], a[3]);
    if (result < 0)
        track_go_on(stopped);
    return result;
}

/* By its number: another preloaded library's prctl may be made of this. */
static long filtered_prctl(long option, long b, long c, long d, long e)
{
    bool stopped = option == PR_SET_SECCOMP && track_stop();
    long result = real.syscall(SYS_prctl, option, b, c, d, e);
    if (result < 0)
        track_go_on(stopped);
    return result;
}

/* SECCOMP_GET_ACTION_AVAIL and its like ask only. Flags for the strict mode, and a filter at NULL,
 * are how libraries ask what the kernel can do. */
static long seccomp(long operation, long flags, long argument)
{
    bool installs = (operation == SECCOMP_SET_MODE_STRICT && flags == 0) ||
                    (operation == SECCOMP_SET_MODE_FILTER && argument != 0);
    bool stopped = installs && track_stop();
    long result = real.syscall(SYS_seccomp, operation, flags, argument);
    if (result < 0)
        track_go_on(stopped);
    return result;
}

/* tail_calls.S leads these calls of syscall() here. */
long settle_syscall(long number, long a, long b, long c, long d, long e);
long settle_syscall(long number, long a, long b, long c, long d, long e)
{
    switch (number) {
    case SYS_close:
        return close_by(raw_close, (int)a);
    case SYS_close_range:
        return close_range_by(raw_close_range, (unsigned)a, (unsigned)b, (int)c);
    case SYS_prctl:
        return filtered_prctl(a, b, c, d, e);
    default:
        return seccomp(a, b, c);
    }
}

/* --- SQLite --- */

enum { SQLITE_OK = 0, SQLITE_MISUSE = 21 }; /* https://www.sqlite.org/rescode.html */

#define SQLITE_REAL(name)                                                                          \
    ((__typeof__(&name))sqlite_real(SYMBOL_##name, __builtin_return_address(0)))

/* A connection that was opened, for its close to know it. */
static int connected(int result, void *const *db, const void *open_function)
{
#define BESIDE(name) sqlite_beside(SYMBOL_sqlite3_##name, open_function)
    if (result != SQLITE_OK)
        return result;
    int saved = errno;
    const char *(*name_of)(void *, const char *) =
        (const char *(*)(void *, const char *))BESIDE(db_filename);
    const struct sqlite_calls calls = {
        .close = (int (*)(void *))BESIDE(close),
        .close_v2 = (int (*)(void *))BESIDE(close_v2),
        .next_stmt = (void *(*)(void *, void *))BESIDE(next_stmt),
    };
    connection_opened(*db, name_of == NULL ? NULL : name_of(*db, "main"), &calls);
    errno = saved;
    return result;
#undef BESIDE
}

#define SQLITE_OPEN(name, parameters, arguments)                                                   \
    EXPORT int name parameters;                                                                    \
    EXPORT int name parameters                                                                     \
    {                                                                                              \
        __typeof__(&name) function = SQLITE_REAL(name);                                            \
        if (function == NULL)                                                                      \
            return SQLITE_MISUSE;                                                                  \
        return connected(function arguments, db, (const void *)function);                          \
    }
SQLITE_OPEN(sqlite3_open, (const char *path, void **db), (path, db))
SQLITE_OPEN(sqlite3_open16, (const void *path, void **db), (path, db))
SQLITE_OPEN(sqlite3_open_v2, (const char *path, void **db, int flags, const char *vfs),
            (path, db, flags, vfs))

/* Asked of live connections only: a bad pointer is for the real close to refuse. */
static bool has_statements(void *db, const struct leaving *leaving)
{
    return leaving->store != NULL && leaving->calls.next_stmt != NULL &&
           leaving->calls.next_stmt(db, NULL) != NULL;
}

/* The wait comes after the real function has returned: SQLite closes files with a process-wide
 * mutex held. */
static int close_connection(int (*function)(void *), void *db, const struct leaving *leaving)
{
    bool zombie = has_statements(db, leaving);
    track_defer(FRAME);
    int result = function(db);
    int saved = errno;
    track_resume(FRAME);
    connection_closed(db, leaving, result == SQLITE_OK, zombie);
    errno = saved;
    return result;
}

/* A connection is closed by the SQLite that made it: where the caller makes a tail call, the return
 * address may be that of a user of another one. */
#define SQLITE_CLOSE(name, member)                                                                 \
    EXPORT int name(void *db);                                                                     \
    EXPORT int name(void *db)                                                                      \
    {                                                                                              \
        struct leaving leaving = connection_closing(db);                                           \
        int (*function)(void *) = leaving.calls.member;                                            \
        if (function == NULL)                                                                      \
            function = SQLITE_REAL(name);                                                          \
        if (function == NULL)                                                                      \
            return SQLITE_MISUSE;                                                                  \
        return close_connection(function, db, &leaving);                                           \
    }
SQLITE_CLOSE(sqlite3_close, close)
SQLITE_CLOSE(sqlite3_close_v2, close_v2)

/* An unloaded SQLite must not be called from memory. dlopen is in tail_calls.S. */
EXPORT int dlclose(void *handle)
{
    int result = real.dlclose(handle);
    sqlite_forget_unloaded();
    return result;
}
