/* Streams: fopen does not reach our open, nor fclose our close, in any libc. */
#include "preload/cancel.h"
#include "preload/hooks.h"
#include "preload/real.h"
#include "track/track.h"
#include "track/use.h"

#include <errno.h>

/* fileno of a stream without a descriptor (fmemopen) sets errno. */
static int descriptor_of(FILE *stream)
{
    int saved = errno;
    int fd = real.fileno(stream);
    errno = saved;
    return fd;
}

/* What fopen's mode says of the flags, as far as anybody asks; what it has behind a comma is for
 * libc alone. */
static __attribute__((noinline)) int flags_in(const char *mode)
{
    int flags = *mode == 'r' ? O_RDONLY : O_WRONLY;
    for (const char *at = mode; *at != '\0' && *at != ','; at++) {
        if (*at == '+')
            flags = (flags & ~O_ACCMODE) | O_RDWR;
        else if (*at == 'x')
            flags |= O_EXCL;
        else if (*at == 'e')
            flags |= O_CLOEXEC;
    }
    return flags;
}

static inline int flags_of(const char *mode)
{
    return mode[0] == 'r' && mode[1] == '\0' ? O_RDONLY : flags_in(mode);
}

static __attribute__((noinline)) FILE *opened_stream(FILE *stream, const char *path,
                                                     const char *mode)
{
    if (stream != NULL)
        track_opened(real.fileno(stream), AT_FDCWD, path, flags_of(mode));
    return stream;
}

/* In a process without a store its number matters only where a look follows. */
static inline __attribute__((always_inline)) FILE *
opened_stream_quietly(FILE *stream, const char *path, const char *mode)
{
    if (stream == NULL || !track_looks_quietly(AT_FDCWD, path, flags_of(mode)))
        return stream;
    return opened_stream(stream, path, mode);
}

/* To be read, in one with a store, where it matters for every open. */
static inline __attribute__((always_inline)) FILE *opened_stream_reading(FILE *stream,
                                                                         const char *path)
{
    if (stream == NULL || !track_reads_store(real.fileno(stream)))
        return stream;
    return opened_stream(stream, path, "r");
}

static inline void opening_stream(const char *path, const char *mode)
{
    if (mode[0] == 'w' && path != NULL && use_names() != 0)
        use_truncating(AT_FDCWD, path);
}

/* A stream made of a descriptor that is there for it again (files.c); NULL if there is none. Of the
 * modes in which libc opens nothing but the file that is there, without a word of its own. */
static FILE *taken_up(const char *path, const char *mode)
{
    int flags = O_RDONLY;
    if (*mode != 'r')
        return NULL;
    for (const char *at = mode + 1; *at != '\0'; at++) {
        if (*at == '+')
            flags |= O_RDWR;
        else if (*at == 'e')
            flags |= O_CLOEXEC;
        else if (*at != 'b')
            return NULL;
    }
    int fd = track_take_up(AT_FDCWD, path, flags);
    if (fd < 0)
        return NULL;
    track_opened(fd, AT_FDCWD, path, flags);
    FILE *stream = real.fdopen(fd, mode);
    if (stream == NULL)
        hooks_close_by_number(fd);
    return stream;
}

static __attribute__((noinline)) FILE *open_anew(const char *path, const char *mode,
                                                 __typeof__(&fopen) real_fopen)
{
    FILE *stream = taken_up(path, mode);
    if (stream != NULL)
        return stream;
    stream = real_fopen(path, mode);
    int saved = errno;
    if (stream == NULL && saved == EMFILE && track_make_room())
        stream = real_fopen(path, mode);
    else
        errno = saved;
    return opened_stream(stream, path, mode);
}

/* In several ways, so that of each as little is asked as can be, as of opens (files.c). */
#define FOPEN(name)                                                                                \
    static __attribute__((noinline)) FILE *name##_quietly(const char *path, const char *mode)      \
    {                                                                                              \
        return opened_stream_quietly(real.name(path, mode), path, mode);                           \
    }                                                                                              \
    static __attribute__((noinline)) FILE *name##_reading(const char *path, const char *mode)      \
    {                                                                                              \
        return opened_stream_reading(real.name(path, mode), path);                                 \
    }                                                                                              \
    static __attribute__((noinline)) FILE *name##_seldom(const char *path, const char *mode)       \
    {                                                                                              \
        opening_stream(path, mode);                                                                \
        if (__builtin_expect(keep_possible(), 0))                                                  \
            return open_anew(path, mode, real.name);                                               \
        return opened_stream(real.name(path, mode), path, mode);                                   \
    }                                                                                              \
    EXPORT FILE *name(const char *path, const char *mode)                                          \
    {                                                                                              \
        const uint32_t asks = track_asked();                                                       \
        if (asks == TRACK_ASKS_SEEN && mode[0] == 'r' && mode[1] == '\0')                          \
            return name##_reading(path, mode);                                                     \
        return asks == 0 ? name##_quietly(path, mode) : name##_seldom(path, mode);                 \
    }
FOPEN(fopen)
FOPEN(fopen64)

/* A descriptor that came by a way of its own (over a socket, from a parent) is looked at here. */
EXPORT FILE *fdopen(int fd, const char *mode)
{
    if (hooks_is_bad(fd))
        return NULL;
    FILE *stream = real.fdopen(fd, mode);
    if (stream != NULL && !handle_possible(fd))
        track_received(fd);
    return stream;
}

/* A path of NULL changes the mode of the open file, which libc may do by opening it again. */
#define FREOPEN(name)                                                                              \
    EXPORT FILE *name(const char *path, const char *mode, FILE *stream)                            \
    {                                                                                              \
        struct closing closing;                                                                    \
        int fd = descriptor_of(stream);                                                            \
        opening_stream(path, mode);                                                                \
        track_closing_by_force(fd, fd, &closing);                                                  \
        const bool known = handle_or_reader(fd); /* else the open may block, and be cancelled */   \
        const int state = known ? cancel_hold() : 0;                                               \
        FILE *result = real.name(path, mode, stream);                                              \
        if (known)                                                                                 \
            cancel_let(state);                                                                     \
        if (path == NULL && result != NULL)                                                        \
            track_received(real.fileno(result));                                                   \
        else                                                                                       \
            opened_stream(result, path, mode);                                                     \
        track_closed(&closing);                                                                    \
        return result;                                                                             \
    }
FREOPEN(freopen)
FREOPEN(freopen64)

/* glibc's freopen has this flag set where fclose is to leave the descriptor open, and its streams
 * begin with this number (libio.h and fileops.c, 2.17 to at least 2.41); the fields are in its
 * public header. Another libc closes what it wants. */
static bool is_detachable(FILE *stream, int fd)
{
#ifdef __GLIBC__
    const unsigned magic = 0xfbad0000; /* _IO_MAGIC */
    return ((unsigned)stream->_flags & 0xffff0000) == magic && stream->_fileno == fd;
#else
    (void)stream;
    (void)fd;
    return false;
#endif
}

/* What is written then is a point where the thread can be cancelled. */
static int close_uncancelled(FILE *stream)
{
    const int state = cancel_hold();
    const int result = real.fclose(stream);
    cancel_let(state);
    return result;
}

static int close_all_but_descriptor(FILE *stream)
{
#ifdef __GLIBC__
    enum { no_close = 32 }; /* _IO_FLAGS2_NOCLOSE */
    stream->_flags2 |= no_close;
#endif
    return close_uncancelled(stream);
}

/* What the flush writes comes before the descriptor is put off. */
static int put_off(FILE *stream, struct closing *closing)
{
    int result = close_all_but_descriptor(stream);
    int saved = errno;
    int error = track_put_off(closing);
    errno = result == 0 && error != 0 ? error : saved;
    return result == 0 && error != 0 ? EOF : result;
}

static __attribute__((cold, noinline)) void closing_standard_error(void)
{
    int saved = errno;
    track_closing_standard_error();
    errno = saved;
}

static __attribute__((noinline)) int close_tracked(FILE *stream, int fd)
{
    struct closing closing;
    int result;
    if (!is_detachable(stream, fd)) {
        track_closing_by_force(fd, fd, &closing);
        result = close_uncancelled(stream);
    } else if (track_closing(fd, &closing)) {
        result = put_off(stream, &closing);
    } else {
        result = close_uncancelled(stream);
    }
    track_closed(&closing);
    return result;
}

static __attribute__((noinline)) int close_known(FILE *stream, int fd)
{
    if (handle_possible(fd) || !track_closing_reader(fd)) {
        track_called(fd);
        return close_tracked(stream, fd);
    }
    const int result = close_uncancelled(stream);
    track_closed_reader(fd);
    return result;
}

EXPORT int fclose(FILE *stream)
{
    const int fd = descriptor_of(stream);
    if (fd == STDERR_FILENO)
        closing_standard_error();
    return handle_or_reader(fd) ? close_known(stream, fd) : real.fclose(stream);
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
