#include "base/listing.h"

#include "base/sys.h"

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

SYS_OWN_FRAME bool listing_has_no_directories(const char *path)
{
    struct stat st;
    return sys_stat(path, &st) == 0 && st.st_nlink == 2;
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
