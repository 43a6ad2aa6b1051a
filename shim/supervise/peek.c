#include "supervise/peek.h"

#include "base/descriptor.h"
#include "track/primary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct settings *settings;
static profile_set profiles_on;
static bool by_name; /* the name alone can tell */

void peek_start(const struct settings *s)
{
    settings = s;
    profiles_on = profile_select(s->stores, s->dirs);
    by_name = !profile_by_content(profiles_on) && s->dirs[0] == '\0';
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

static bool is_database(int directory, int fd, const struct stat *st)
{
    if (st->st_size == 0)
        return false;
    int probe = peek_open(directory, fd);
    if (probe < 0)
        return false;
    bool is = descriptor_is_database(probe, st->st_size);
    close(probe);
    return is;
}

int peek_at(int directory, int fd, struct peek *look)
{
    char name[16];
    snprintf(name, sizeof name, "%d", fd);
    look->named.role = ROLE_NONE;
    ssize_t length = readlinkat(directory, name, look->path, sizeof look->path - 1);
    if (length < 0)
        return errno;
    look->path[length] = '\0';
    if (look->path[0] != '/' || (by_name && !profile_may_match(profiles_on, look->path)))
        return 0;
    struct named *named = &look->named;
    profile_name(profiles_on, settings->dirs, look->path, named);
    if (named->role == ROLE_NONE)
        return 0;
    if (fstatat(directory, name, &look->st, 0) < 0)
        return errno;
    const struct stat *st = &look->st;
    bool has_name = S_ISREG(st->st_mode) && st->st_nlink > 0;
    if (has_name && named->role == ROLE_CANDIDATE && is_database(directory, fd, st))
        named->role = ROLE_PRIMARY;
    if (!has_name || named->role == ROLE_CANDIDATE ||
        !primary_find(named, st, look->path, &look->primary))
        named->role = ROLE_NONE;
    return 0;
}
