#include "supervise/peek.h"

#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static profile_set profiles_on;
static bool by_name; /* the name alone can tell */
static bool by_lock_name;

void peek_start(const struct settings *s)
{
    profiles_on = recognise_profiles();
    by_name = !profile_by_content(profiles_on) && s->dirs[0] == '\0';
    by_lock_name = profile_by_lock_name(profiles_on);
}

int peek_process_of(int thread)
{
    static const char *const name = "Tgid:";
    char path[32];
    long pid = -1;
    snprintf(path, sizeof path, "/proc/%d/status", thread);
    return status_read(path, &name, &pid, 1) && pid > 0 ? (int)pid : thread;
}

int peek_directory(int thread)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", thread);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int peek_open(int directory, int fd)
{
    char name[16];
    snprintf(name, sizeof name, "%d", fd);
    return openat(directory, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* pipe:[1234], anon_inode:... have no slash in front. */
static bool may_be_store(const char *path)
{
    return path[0] == '/' && (!by_name || profile_may_match(profiles_on, path) ||
                              (by_lock_name && profile_of_lock_name(profiles_on, path)));
}

int peek_at(int directory, int fd, struct peek *peek)
{
    char name[16];
    snprintf(name, sizeof name, "%d", fd);
    peek->role = ROLE_NONE;
    ssize_t length = readlinkat(directory, name, peek->path, sizeof peek->path - 1);
    if (length < 0)
        return errno;
    peek->path[length] = '\0';
    if (!may_be_store(peek->path))
        return 0;
    if (fstatat(directory, name, &peek->st, 0) < 0)
        return errno;
    if (!S_ISREG(peek->st.st_mode)) /* a pipe's other end would see that it is opened */
        return 0;
    int own = peek_open(directory, fd);
    if (own < 0)
        return 0;
    recognise(own, &peek->st, "", &peek->found);
    close(own);
    if (peek->found.role != ROLE_CANDIDATE)
        peek->role = peek->found.role;
    return 0;
}
