#include "append.h"

#include "helper.h"
#include "sys.h"

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

static void append(void *argument)
{
    struct append *a = argument;
    /* O_NONBLOCK: a FIFO without a reader is an error instead of a wait */
    int fd = sys_openat(
        AT_FDCWD, a->path,
        O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (fd < 0) {
        a->error = -fd;
        return;
    }
    long written = sys_write(fd, a->buffer, a->length);
    if (written < 0)
        a->error = (int)-written;
    else if ((size_t)written < a->length)
        a->error = ENOSPC;
    sys_close(fd);
}

int append_line(struct append *a, const char *path, size_t length)
{
    const uint64_t patience = 1000000000u;
    struct helper *helper = a->helper;
    a->path = path;
    a->length = length;
    int error = helper_run(helper, append, sys_now() + patience);
    if (error == 0)
        error = a->error;
    helper_free(helper);
    return error;
}
