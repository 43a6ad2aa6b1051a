#include "wait/idle.h"

#include "base/path.h"
#include "base/sys.h"
#include "holders/sqlite_locks.h"

/* SHARED's bytes are those behind PENDING and RESERVED (https://www.sqlite.org/lockingv3.html). */
static const uint64_t shared_first = SQLITE_LOCKS_FIRST + 2;
static const uint64_t shared_last = SQLITE_LOCKS_LAST;

static bool is_held_idle(const struct profile *profile)
{
    return profile != NULL && profile->held_idle;
}

bool idle_lock(const struct holder *h, const struct profile *profile)
{
    const uint64_t first = is_held_idle(profile) ? 0 : shared_first;
    const uint64_t last = is_held_idle(profile) ? 0 : shared_last;
    return h->hold == HOLD_POSIX_READ && h->where == WHERE_HERE && h->pid > 0 &&
           h->start == first && h->end == last;
}

/* What stands in the way of a lock for reading is one for writing. */
static bool is_written(int fd)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    return sys_fcntl(fd, F_GETLK, (long)&lock) < 0 || lock.l_type != F_UNLCK;
}

bool idle_database(const struct probe *p, const struct profile *profile)
{
    if (is_held_idle(profile))
        return true;
    char path[PATH_MAX];
    if (p->fd < 0 || is_written(p->fd) || !path_beside(path, sizeof path, p->path, "-shm"))
        return false;
    int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (fd < 0)
        return true; /* no WAL */
    bool written = is_written(fd);
    sys_close(fd);
    return !written;
}
