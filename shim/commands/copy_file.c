#include "commands/copy_file.h"

#include "base/text.h"

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

/* What remains is for copy_by_write: nothing; or all, where the two file systems cannot, and also
 * where the kernel says that there is nothing more, which is not always true (copy_file_range(2),
 * BUGS). */
static int copy_in_kernel(int from, int to, struct copying *c)
{
    for (;;) {
        if (cancelled(c))
            return -ECANCELED;
        ssize_t done = copy_file_range(from, NULL, to, NULL, PART, 0);
        if (done > 0)
            note(c, BY_COPY_FILE_RANGE, done);
        else if (done < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO))
            return -errno;
        else if (done == 0 || errno != EINTR)
            return 0;
    }
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

static int copy_by_write(int from, int to, struct copying *c)
{
    static char buffer[BUFFER];
    for (;;) {
        if (cancelled(c))
            return -ECANCELED;
        ssize_t done = read(from, buffer, sizeof buffer);
        if (done < 0 && errno == EINTR)
            continue;
        int result = done < 0 ? -errno : write_all(to, buffer, done);
        if (result < 0 || done == 0)
            return result;
        note(c, BY_WRITE, done);
    }
}

static int copy_data(int from, int to, struct copying *c)
{
    if (reflink(from, to, c))
        return 0;
    int result = copy_in_kernel(from, to, c);
    return result < 0 ? result : copy_by_write(from, to, c);
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

bool copy_file(struct copying *c, int from, const struct stat *st, int directory, const char *name,
               bool with_attributes)
{
    int to = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = to < 0 ? -errno : copy_data(from, to, c);
    if (result == 0 && with_attributes)
        result = copy_attributes(to, st);
    if (to >= 0 && close(to) != 0 && result == 0)
        result = -errno;
    close(from);
    return result == 0 || copying_fails_by(c, name, -result);
}

int copy_attributes(int to, const struct stat *st)
{
    const struct timespec times[] = {st->st_atim, st->st_mtim};
    /* The owner first: a change of it takes set-ID bits away. */
    bool owned = fchown(to, st->st_uid, st->st_gid) == 0;
    mode_t mode = st->st_mode & (owned ? 07777 : 01777);
    if (fchmod(to, mode) != 0 || futimens(to, times) != 0)
        return -errno;
    return 0;
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
