/* Streams: fopen does not reach our open, nor fclose our close, in any libc. */
#include "preload/hooks.h"
#include "preload/real.h"
#include "track/track.h"
#include "track/use.h"

#include <errno.h>

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

static void opening_stream(const char *path, const char *mode)
{
    if (path != NULL && mode[0] == 'w')
        use_truncating(AT_FDCWD, path);
}

#define FOPEN(name)                                                                                \
    EXPORT FILE *name(const char *path, const char *mode)                                          \
    {                                                                                              \
        opening_stream(path, mode);                                                                \
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
        opening_stream(path, mode);                                                                \
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
