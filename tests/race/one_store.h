/* A store that all threads of a race are at, through what the hooks do at its opens, closes and
 * locks. */
#ifndef SETTLE_ONE_STORE_H
#define SETTLE_ONE_STORE_H

#include "base/sys.h"
#include "config/rules.h"
#include "race.h"
#include "track/books.h"
#include "track/possible.h"
#include "track/track.h"

#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/settle-race-XXXXXX/chroma.sqlite3";
static int witness; /* opened and closed past the library */

/* --- what the hooks do --- */

static inline int open_file(int flags)
{
    int fd = atomic_load(&BOOKS.places.count) > 0 ? track_take_up(AT_FDCWD, path, flags) : -1;
    if (fd < 0)
        fd = sys_openat(AT_FDCWD, path, flags, 0644);
    CHECK(fd >= 0);
    track_opened(fd, AT_FDCWD, path, flags);
    return fd;
}

static inline void close_file(int fd)
{
    struct closing closing;
    if (!handle_possible(fd) && track_closing_reader(fd)) {
        CHECK(sys_close(fd) == 0);
        track_closed_reader(fd);
        return;
    }
    CHECK(!track_has_put_off(fd));
    if (track_closing(fd, &closing))
        CHECK(track_put_off(&closing) == 0);
    else
        CHECK(sys_close(fd) == 0);
    track_closed(&closing);
}

static inline void set_lock(int fd, short type, off_t start, off_t length)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    const uint64_t begun = track_locking(fd, F_SETLK, &lock);
    CHECK(sys_fcntl(fd, F_SETLK, (long)&lock) == 0);
    track_locked(fd, F_SETLK, &lock, type);
    if (begun != 0)
        track_lock_ended(begun);
}

/* --- around them --- */

/* As another process sees it. */
static inline bool is_locked(off_t start, off_t length)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    CHECK(sys_fcntl(witness, F_OFD_GETLK, (long)&lock) == 0);
    return lock.l_type != F_UNLCK;
}

/* What stands in for the helper closes in this table (race.h): no close and no use has one. */
static inline void store_begin(void)
{
    static struct settings settings;
    char *slash = strrchr(path, '/');
    *slash = '\0';
    CHECK(mkdtemp(path) != NULL);
    *slash = '/';
    witness = sys_openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    CHECK(witness >= 0);
    settings_set_defaults(&settings);
    settings.trigger = TRIGGER_USE;
    settings.at_use = AT_USE_OFF;
    rules_read(NULL, &settings, NULL);
    CHECK(books_start());
    track_start(&settings);
}

/* Nothing is left of it in the books. */
static inline void store_end(void)
{
    CHECK(atomic_load(&BOOKS.places.count) == 0);
    CHECK(handle_next(0, ~0u) == -1);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

#endif
