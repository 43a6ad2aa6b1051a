#include "helper/append.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/sys.h"
#include "config/profile.h"
#include "helper/helper.h"
#include "helper/muted.h"

#include <errno.h>
#include <string.h>

struct append {
    const char *path;
    size_t length;
    int error;
    char line[];
};

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

static int write_piece(int fd, const struct piece *piece)
{
    long written = sys_write(fd, piece->data, piece->length);
    if (written < 0)
        return (int)-written;
    return (size_t)written < piece->length ? ENOSPC : 0;
}

static int write_pieces(int fd, const char *path, const struct piece *pieces, unsigned count)
{
    struct stat st;
    if (sys_fstat(fd, &st) < 0 || is_database(path, &st))
        return EINVAL;
    int error = 0;
    for (unsigned i = 0; error == 0 && i < count; i++)
        error = write_piece(fd, &pieces[i]);
    return error;
}

int append_here(const char *path, const struct piece *pieces, unsigned count)
{
    if (append_would_harm(-1, path))
        return EINVAL;
    /* O_NONBLOCK: a FIFO without a reader is an error instead of a wait */
    int fd = sys_openat(
        AT_FDCWD, path,
        O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (fd < 0)
        return -fd;
    int error = write_pieces(fd, path, pieces, count);
    sys_close(fd);
    return error;
}

static void append(void *argument)
{
    struct append *a = argument;
    const struct piece line = {a->line, a->length};
    a->error = append_here(a->path, &line, 1);
}

int append_run(struct helper *helper, void (*work)(void *request))
{
    int error = helper_run(helper, work, clock_now() + APPEND_PATIENCE);
    if (error != EAGAIN || helper_other_threads())
        return error;
    const struct muted muted = muted_begin_all();
    work(helper_request(helper));
    muted_end(&muted, muted_raised_by(-EPIPE) | muted_raised_by(-EFBIG));
    return 0;
}

int append_line(const char *path, const char *line, size_t length)
{
    struct helper *helper = helper_new(sizeof(struct append) + length);
    if (helper == NULL)
        return ENOMEM;
    struct append *a = helper_request(helper); /* which has it still if this call gives it up */
    a->path = path;
    a->length = length;
    memcpy(a->line, line, length);
    int error = append_run(helper, append);
    if (error == 0)
        error = a->error;
    helper_free(helper);
    return error;
}
