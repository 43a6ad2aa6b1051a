#include "base/scan.h"

#include "base/sys.h"

#include <string.h>

int scan_open(struct scan *s, const char *path)
{
    s->at = s->length = 0;
    s->cut = false;
    s->fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    return s->fd < 0 ? s->fd : 0;
}

/* Moves what is left to the buffer's beginning and reads more behind it. False at the end. */
static bool fill(struct scan *s)
{
    memmove(s->buffer, s->buffer + s->at, s->length - s->at);
    s->length -= s->at;
    s->at = 0;
    long got = sys_read(s->fd, s->buffer + s->length, sizeof s->buffer - 1 - s->length);
    if (got > 0)
        s->length += (size_t)got;
    return got > 0;
}

char *scan_line(struct scan *s)
{
    for (;;) {
        char *line = s->buffer + s->at;
        char *end = memchr(line, '\n', s->length - s->at);
        bool whole = end != NULL;
        if (!whole && s->length - s->at < sizeof s->buffer - 1 && fill(s))
            continue;
        line = s->buffer + s->at;
        if (!whole)
            end = s->buffer + s->length;
        if (!whole && end == line)
            return NULL;
        *end = '\0';
        s->at = (size_t)(end - s->buffer) + whole;
        bool rest = s->cut;
        s->cut = !whole;
        if (!rest)
            return line;
    }
}

void scan_close(struct scan *s)
{
    sys_close(s->fd);
}

char *scan_field(char **line)
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
