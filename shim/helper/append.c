#include "helper/append.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/sys.h"
#include "config/profile.h"
#include "helper/helper.h"

#include <errno.h>

struct append {
    struct helper *helper;
    const char *path;
    size_t length;
    int error;
    char buffer[];
};

struct append *append_new(size_t size)
{
    struct helper *helper = helper_new(sizeof(struct append) + size);
    if (helper == NULL)
        return NULL;
    struct append *a = helper_request(helper);
    a->helper = helper;
    return a;
}

char *append_buffer(struct append *a)
{
    return a->buffer;
}

bool append_would_harm(int fd, const char *path)
{
    struct stat st;
    if (profile_names_store(path))
        return true;
    return fd >= 0 && sys_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
           descriptor_is_database(fd, st.st_size);
}

/* Asked by a descriptor of its own, since the one for writing cannot be read, and a FIFO that is
 * open for both never lacks a reader. */
static bool is_database(const char *path, const struct stat *st)
{
    if (!S_ISREG(st->st_mode) || st->st_size == 0)
        return false;
    int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool database = append_would_harm(fd, path);
    sys_close(fd);
    return database;
}

static int write_line(const struct append *a, int fd)
{
    struct stat st;
    if (sys_fstat(fd, &st) < 0 || is_database(a->path, &st))
        return EINVAL;
    long written = sys_write(fd, a->buffer, a->length);
    if (written < 0)
        return (int)-written;
    return (size_t)written < a->length ? ENOSPC : 0;
}

static void append(void *argument)
{
    struct append *a = argument;
    if (append_would_harm(-1, a->path)) {
        a->error = EINVAL;
        return;
    }
    /* O_NONBLOCK: a FIFO without a reader is an error instead of a wait */
    int fd = sys_openat(
        AT_FDCWD, a->path,
        O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (fd < 0) {
        a->error = -fd;
        return;
    }
    a->error = write_line(a, fd);
    sys_close(fd);
}

int append_line(struct append *a, const char *path, size_t length)
{
    const uint64_t patience = 1000000000u;
    struct helper *helper = a->helper;
    a->path = path;
    a->length = length;
    int error = helper_run(helper, append, clock_now() + patience);
    if (error == 0)
        error = a->error;
    helper_free(helper);
    return error;
}
