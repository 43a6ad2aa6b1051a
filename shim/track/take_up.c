/* Taking up again: an open gets a descriptor that the program has closed, and that is open still
 * since its close is put off (keep.h). */
#include "base/sys.h"
#include "track/books.h"
#include "track/keep.h"
#include "track/process.h"
#include "track/track.h"

#include <unistd.h>

/* What an open by these flags finds by the name: one regular file of one name, since the kernel's
 * name for the descriptor is that by which it was opened. */
static bool find_named(int dir, const char *path, int flags, struct sys_statx *st)
{
    int follow = (flags & O_NOFOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0;
    return sys_statx(dir, path, follow, st) == 0 && S_ISREG(st->mode) && st->nlink == 1 &&
           (st->mask & SYS_STATX_MNT_ID) != 0;
}

/* Whether the open would be granted now. Of a directory in which everybody may make files, the
 * kernel may refuse O_CREAT for a file of somebody else (fs.protected_regular, proc_sys_fs(5)). */
static bool is_permitted(int dir, const char *path, int flags, const struct sys_statx *st)
{
    const long faccessat2 = 439;        /* Linux 5.8; older headers lack it */
    const int by_effective_ids = 0x200; /* AT_EACCESS */
    int follow = (flags & O_NOFOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0;
    int access = flags & O_ACCMODE;
    int mode = access == O_RDONLY ? R_OK : access == O_WRONLY ? W_OK : R_OK | W_OK;
    if ((flags & O_CREAT) != 0 && st->uid != (uint32_t)sys_call(SYS_geteuid, 0, 0, 0, 0, 0, 0))
        return false;
    return sys_call(faccessat2, dir, (long)path, mode, follow | by_effective_ids, 0, 0) == 0;
}

/* The flags that the descriptor has for ever, or until F_SETFL. */
static int lasting(int flags)
{
    return flags & ~(O_CREAT | O_NOCTTY | O_CLOEXEC | SYS_LARGE_FILE);
}

static bool may_be(struct place *p, int flags, struct identity file)
{
    return atomic_load(&p->state) == PLACE_PUT_OFF && identity_same(place_identity(p), file) &&
           lasting(atomic_load(&p->flags)) == lasting(flags) && !atomic_load(&p->shared);
}

/* Asked of the claimed descriptor itself. */
static bool is(struct place *p, int flags, const struct sys_statx *named)
{
    struct sys_statx st;
    int fd = atomic_load(&p->fd);
    return sys_statx(fd, "", AT_EMPTY_PATH, &st) == 0 && st.ino == named->ino &&
           st.dev_major == named->dev_major && st.dev_minor == named->dev_minor &&
           st.mnt_id == named->mnt_id && lasting(sys_fcntl(fd, F_GETFL, 0)) == lasting(flags) &&
           sys_call(SYS_lseek, fd, 0, SEEK_SET, 0, 0, 0) == 0;
}

static int take_up(struct place *p, int flags, const struct sys_statx *named)
{
    int fd = atomic_load(&p->fd);
    if (!is(p, flags, named)) {
        atomic_store(&p->state, PLACE_PUT_OFF);
        return -1;
    }
    sys_fcntl(fd, F_SETFD, (flags & O_CLOEXEC) != 0 ? FD_CLOEXEC : 0);
    place_empty(p);
    return fd;
}

static bool opens_as_engine(int flags)
{
    const int as_sqlite = O_NOFOLLOW | O_CLOEXEC;
    return (flags & O_ACCMODE) == O_RDWR && (flags & as_sqlite) == as_sqlite;
}

int track_take_up(int dir, const char *path, int flags)
{
    const int others = O_TRUNC | O_EXCL | O_APPEND | O_PATH | O_TMPFILE | O_NOATIME | O_ASYNC;
    struct sys_statx named;
    int fd = -1;
    if ((flags & others) != 0 || opens_as_engine(flags) || !process_thread_at_home() ||
        !find_named(dir, path, flags, &named) || !is_permitted(dir, path, flags, &named))
        return -1;
    struct identity file = {sys_device(named.dev_major, named.dev_minor), named.ino};
    sys_sigset old = process_hold_signals();
    for (unsigned i = 0; i < PLACES_MOST && fd < 0; i++) {
        struct place *p = &BOOKS.places.all[i];
        if (may_be(p, flags, file) && place_claim(p))
            fd = take_up(p, flags, &named);
    }
    process_let_signals(old);
    return fd;
}
