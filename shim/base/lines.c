#include "base/lines.h"

#include "base/sys.h"

#include <string.h>

int listing_open(struct listing *l, const char *path)
{
    return listing_open_at(l, AT_FDCWD, path);
}

int listing_open_at(struct listing *l, int directory, const char *path)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK;
    listing_begin(l, sys_openat(directory, path, flags, 0));
    return l->fd < 0 ? l->fd : 0;
}

void listing_begin(struct listing *l, int fd)
{
    l->fd = fd;
    l->at = l->length = 0;
}

const struct entry *listing_next(struct listing *l)
{
    if (l->at >= l->length) {
        l->length = sys_getdents(l->fd, l->buffer, sizeof l->buffer);
        l->at = 0;
        if (l->length <= 0)
            return NULL;
    }
    const struct entry *entry = (const void *)(l->buffer + l->at);
    l->at += entry->length;
    return entry;
}

void listing_close(struct listing *l)
{
    sys_close(l->fd);
}

int lines_open(struct lines *l, const char *path)
{
    l->at = l->length = 0;
    l->cut = false;
    l->fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    return l->fd < 0 ? l->fd : 0;
}

/* Moves what is left to the buffer's beginning and reads more behind it. False at the end. */
static bool fill(struct lines *l)
{
    memmove(l->buffer, l->buffer + l->at, l->length - l->at);
    l->length -= l->at;
    l->at = 0;
    long got = sys_read(l->fd, l->buffer + l->length, sizeof l->buffer - 1 - l->length);
    if (got > 0)
        l->length += (size_t)got;
    return got > 0;
}

char *lines_next(struct lines *l)
{
    for (;;) {
        char *line = l->buffer + l->at;
        char *end = memchr(line, '\n', l->length - l->at);
        bool whole = end != NULL;
        if (!whole && l->length - l->at < sizeof l->buffer - 1 && fill(l))
            continue;
        line = l->buffer + l->at;
        if (!whole)
            end = l->buffer + l->length;
        if (!whole && end == line)
            return NULL;
        *end = '\0';
        l->at = (size_t)(end - l->buffer) + whole;
        bool rest = l->cut;
        l->cut = !whole;
        if (!rest)
            return line;
    }
}

void lines_close(struct lines *l)
{
    sys_close(l->fd);
}

char *next_field(char **line)
{
    static const char blanks[] = " \t";
    char *at = *line + strspn(*line, blanks);
    if (*at == '\0')
        return NULL;
    char *end = at + strcspn(at, blanks);
    *line = *end == '\0' ? end : end + 1;
    *end = '\0';
    return at;
}
