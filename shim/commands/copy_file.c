#include "commands/copy_file.h"

#include "base/text.h"
#include "commands/copy_attributes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *const copied_by_names[] = {"reflink", "copy_file_range", "write"};

/* A part is copied at a time, so that an order to stop is soon obeyed. */
enum { PART = 8 << 20, BUFFER = 1 << 20 };

/* ioctl_ficlone(2); old headers of the kernel clash with those of libc. */
#define CLONE _IOW(0x94, 9, int)

static void note(struct copying *c, enum copied_by by, long bytes)
{
    if ((int)by > atomic_load(&c->by))
        atomic_store(&c->by, (int)by);
    atomic_fetch_add(&c->bytes, (uint64_t)bytes);
}

static bool cancelled(const struct copying *c)
{
    return atomic_load(&c->cancelled);
}

static bool reflink(int from, int to, struct copying *c)
{
    struct stat st;
    if (ioctl(to, CLONE, from) != 0)
        return false;
    note(c, BY_REFLINK, fstat(to, &st) == 0 ? st.st_size : 0);
    return true;
}

static off_t least(off_t a, off_t b)
{
    return a < b ? a : b;
}

/* Up to `end`, from where both are. What remains is for copy_by_write: nothing; or all, where the
 * two file systems cannot, and also where the kernel says that there is nothing more, which is not
 * always true (copy_file_range(2), BUGS). */
static int copy_in_kernel(int from, int to, off_t end, struct copying *c)
{
    for (off_t at = lseek(from, 0, SEEK_CUR); at < end;) {
        if (cancelled(c))
            return -ECANCELED;
        ssize_t done = copy_file_range(from, NULL, to, NULL, (size_t)least(end - at, PART), 0);
        if (done > 0) {
            note(c, BY_COPY_FILE_RANGE, done);
            at += done;
        } else if (done < 0 &&
                   (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO)) {
            return -errno;
        } else if (done == 0 || errno != EINTR) {
            break;
        }
    }
    return 0;
}

static int write_all(int to, const char *bytes, ssize_t size)
{
    while (size > 0) {
        ssize_t done = write(to, bytes, (size_t)size);
        if (done < 0 && errno != EINTR)
            return -errno;
        if (done > 0) {
            bytes += done;
            size -= done;
        }
    }
    return 0;
}

static int copy_by_write(int from, int to, off_t end, struct copying *c)
{
    static char buffer[BUFFER];
    for (off_t at = lseek(from, 0, SEEK_CUR); at < end;) {
        if (cancelled(c))
            return -ECANCELED;
        ssize_t done = read(from, buffer, (size_t)least(end - at, BUFFER));
        if (done < 0 && errno == EINTR)
            continue;
        int result = done < 0 ? -errno : write_all(to, buffer, done);
        if (result < 0 || done == 0)
            return result;
        note(c, BY_WRITE, done);
        at += done;
    }
    return 0;
}

/* Where there is something from a place on; *end: to where. -ENXIO: only a hole, or nothing. Where
 * the file system does not tell, all is something. */
static off_t next_data(int from, off_t at, off_t *end)
{
    off_t data = lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO)
        return -ENXIO;
    *end = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
    if (*end >= 0)
        return data;
    *end = INT64_MAX;
    return at;
}

static int copy_part(int from, int to, off_t end, struct copying *c)
{
    int result = copy_in_kernel(from, to, end, c);
    return result < 0 ? result : copy_by_write(from, to, end, c);
}

/* A hole that is skipped is one in the copy; that at the end is made by its size. */
static int copy_sparse(int from, int to, struct copying *c)
{
    struct stat st;
    off_t at = 0;
    off_t end;
    for (off_t data; (data = next_data(from, at, &end)) >= 0; at = end) {
        note(c, BY_REFLINK, data - at);
        if (lseek(from, data, SEEK_SET) < 0 || lseek(to, data, SEEK_SET) < 0)
            return -errno;
        int result = copy_part(from, to, end, c);
        if (result < 0 || end == INT64_MAX)
            return result;
    }
    return fstat(from, &st) < 0 || (st.st_size > at && ftruncate(to, st.st_size) < 0) ? -errno : 0;
}

/* A file system is asked for holes only where there must be some (cp does the same): of an answer
 * that is wrong, as OpenZFS gave before 2.2.2 (its issue 15526), the copy would have zeros. */
static int copy_data(int from, const struct stat *st, int to, struct copying *c)
{
    if (reflink(from, to, c))
        return 0;
    return st->st_blocks < st->st_size / 512 ? copy_sparse(from, to, c)
                                             : copy_part(from, to, INT64_MAX, c);
}

bool copying_decides(struct copying *c, enum copying_turn turn)
{
    int open = TURN_OPEN;
    return atomic_compare_exchange_strong(&c->turn, &open, (int)turn) || open == (int)turn;
}

bool copying_fails(struct copying *c, const char *reason)
{
    str_copy(c->reason, sizeof c->reason, reason);
    return false;
}

bool copying_fails_by(struct copying *c, const char *path, int error)
{
    struct text t = text_in(c->reason, sizeof c->reason);
    text_path(&t, path);
    text_str(&t, ": ");
    text_str(&t, strerror(error));
    return false;
}

bool copy_file(struct copying *c, int from, struct stat *st, int directory, const char *name,
               bool with_attributes)
{
    int to = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = to < 0 ? -errno : copy_data(from, st, to, c);
    if (result == 0)
        copy_named_attributes(from, to, st);
    /* Of thousands of files that are begun to be written now, each is waited for a fourth as long
     * in the end. Not so of the database, whose writers wait meanwhile. */
    if (result == 0 && with_attributes)
        sync_file_range(to, 0, 0, SYNC_FILE_RANGE_WRITE);
    if (result == 0 && with_attributes)
        result = copy_attributes(to, st);
    else if (result == 0 && fchmod(to, 0600) != 0) /* a list of rights changes it */
        result = -errno;
    if (to >= 0 && close(to) != 0 && result == 0)
        result = -errno;
    close(from);
    return result == 0 || copying_fails_by(c, name, -result);
}

/* --- whole trees --- */

/* Calls for each name in a directory, until one fails. */
static int for_each(int directory, const char *name,
                    int (*call)(int directory, const char *name, const void *context),
                    const void *context)
{
    int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    int result = 0;
    if (stream == NULL) {
        result = -errno;
        if (fd >= 0)
            close(fd);
        return result;
    }
    while (result == 0 && (entry = readdir(stream)) != NULL)
        if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
            result = call(dirfd(stream), entry->d_name, context);
    closedir(stream);
    return result;
}

static int remove_one(int directory, const char *name, const void *context)
{
    (void)context;
    return copy_remove(directory, name);
}

int copy_remove(int directory, const char *name)
{
    if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM) /* POSIX has EPERM of a directory */
        return -errno;
    fchmodat(directory, name, 0700, 0);
    int result = for_each(directory, name, remove_one, NULL);
    if (result < 0)
        return result;
    return unlinkat(directory, name, AT_REMOVEDIR) == 0 ? 0 : -errno;
}

static int sync_one(int directory, const char *name, const void *context)
{
    return copy_sync(directory, name, context);
}

int copy_sync(int directory, const char *name, const struct copying *c)
{
    struct stat st;
    int result = 0;
    if (cancelled(c))
        return -ECANCELED;
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        result = for_each(directory, name, sync_one, c);
    /* EINVAL: a file system that has nothing to write it to */
    if (result == 0 && fsync(fd) != 0 && errno != EINVAL)
        result = -errno;
    close(fd);
    return result;
}

/* Where the file system does not know of renames that replace nothing, the look before is a moment
 * old. */
int copy_rename(int from_directory, const char *from, int to_directory, const char *to)
{
    const unsigned no_replace = 1; /* RENAME_NOREPLACE, renameat2(2) */
    struct stat st;
    if (syscall(SYS_renameat2, from_directory, from, to_directory, to, no_replace) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (fstatat(to_directory, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    return renameat(from_directory, from, to_directory, to) == 0 ? 0 : -errno;
}
