#include "commands/copy_attributes.h"

#include "base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The most that the kernel has (linux/limits.h). */
enum { NAMES = 65536, VALUE = 65536 };

static const char access_list[] = "system.posix_acl_access";
static const char default_list[] = "system.posix_acl_default";
static const char of_users[] = "user.";

static bool is_copied(const char *name)
{
    return str_equal(name, access_list) || str_equal(name, default_list) ||
           strncmp(name, of_users, sizeof of_users - 1) == 0;
}

static bool copy_one(int from, int to, const char *name)
{
    static char value[VALUE];
    ssize_t size = fgetxattr(from, name, value, sizeof value);
    return size >= 0 && fsetxattr(to, name, value, (size_t)size, 0) == 0;
}

void copy_named_attributes(int from, int to, struct stat *st)
{
    static char names[NAMES];
    const ssize_t length = flistxattr(from, names, sizeof names);
    /* What it has by the default of the directory that it was made in. */
    fremovexattr(to, access_list);
    fremovexattr(to, default_list);
    for (ssize_t at = 0; at < length; at += (ssize_t)strlen(names + at) + 1)
        if (is_copied(names + at) && !copy_one(from, to, names + at) &&
            str_equal(names + at, access_list))
            st->st_mode &= ~(mode_t)S_IRWXG;
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
