/* SETTLE_DIRS with its symbolic links resolved, and relative paths made absolute. */
#include "config/settings.h"

#include "base/descriptor.h"
#include "base/glob.h"
#include "base/sys.h"
#include "config/profile.h"
#include "fuzz.h"
#include "helper/log.h"
#include "preload/real.h"
#include "track/track.h"

#include <errno.h>
#include <unistd.h>

static char *where; /* the current directory; NULL: it is gone */

/* A file system in which what has an n in its path is not there, and /l is a link to /real/l. */
static char *real_name_of(const char *path, char *resolved)
{
    char whole[3 * PATH_MAX];
    if (*path == '\0' || strlen(path) >= PATH_MAX || strchr(path, 'n') != NULL ||
        (*path != '/' && where == NULL)) {
        errno = ENOENT;
        return NULL;
    }
    const char *directory = *path == '/' ? "" : where;
    snprintf(whole, sizeof whole, "%s%s/%s", begins_with(path, "/l") ? "/real" : "", directory,
             path);
    char *to = resolved;
    *to = '\0';
    for (char *rest = whole, *name; (name = strsep(&rest, "/")) != NULL;) {
        if (*name == '\0' || str_equal(name, "."))
            continue;
        if (to + strlen(name) + 2 > resolved + PATH_MAX) {
            errno = ENAMETOOLONG;
            return NULL;
        }
        to += sprintf(to, "/%s", name);
    }
    if (to == resolved)
        strcpy(resolved, "/");
    return resolved;
}

static long say_where(char *buffer, size_t size)
{
    if (where == NULL || strlen(where) >= size)
        return -ENOENT;
    strcpy(buffer, where);
    return (long)strlen(where) + 1;
}

/* One descriptor, whose name the kernel tells. */
static char opened[PATH_MAX];

static int open_path(int dir, const char *path, int flags, unsigned mode)
{
    (void)dir, (void)flags, (void)mode;
    return real_name_of(path, opened) == NULL ? -ENOENT : 1000;
}

static void tell_name(int fd, char *out, size_t size)
{
    CHECK(fd == 1000);
    snprintf(out, size, "%s", opened);
}

static int close_path(int fd)
{
    CHECK(fd == 1000);
    return 0;
}

#define sys_openat      open_path
#define sys_close       close_path
#define descriptor_path tell_name
#define sys_getcwd      say_where
#include "base/glob.c"
#include "base/path.c"
#include "track/begin.c"

/* A directory that is named without a glob, and is there, is matched by its real name; so is what
 * lies below one that is named up to a glob. */
static void is_matched(const char *part, const char *dirs)
{
    char path[PATH_MAX];
    char real_name[PATH_MAX];
    if (strlen(part) >= sizeof path - 2)
        return;
    size_t length = strlen(part);
    bool below = str_equal(part, "*") || str_ends_with(part, "/*");
    snprintf(path, sizeof path, "%.*s%s", (int)(below ? length - 1 : length), part,
             str_equal(part, "*") ? "." : "");
    if (strpbrk(path, "*?[\\") != NULL || real_name_of(path, real_name) == NULL ||
        strchr(real_name, ':') != NULL)
        return;
    if (below && strlen(real_name) < PATH_MAX - 3)
        strcat(real_name, str_equal(real_name, "/") ? "x" : "/x");
    CHECK(profile_directory_matches(dirs, real_name, strlen(real_name)));
}

/* What may be about the current directory: its name, a glob, or what is not there. */
static bool may_mean_here(const char *part)
{
    char real_name[PATH_MAX];
    return *part != '\0' && (strpbrk(part, "*?[\\") != NULL || strlen(part) >= PATH_MAX ||
                             real_name_of(part, real_name) == NULL || str_equal(real_name, where));
}

static void take_dirs(const char *line)
{
    static char dirs[DIRS_SIZE];
    if (strlen(line) >= sizeof dirs)
        return;
    strcpy(dirs, line);
    resolve_dirs(dirs, sizeof dirs);
    CHECK(memchr(dirs, '\0', sizeof dirs) != NULL);
    /* Each part may become longer by the current directory, each of its characters by another. */
    size_t longest = 0;
    for (const char *at = line; *at != '\0'; at++)
        longest += *at == ':' || at == line ? 2 * (where == NULL ? 0 : strlen(where)) + 10 : 2;
    bool resolved = longest < sizeof dirs;
    char *copy = strdup(line);
    char *rest = copy;
    bool means_here = where == NULL;
    for (char *part; resolved && (part = strsep(&rest, ":")) != NULL;) {
        is_matched(part, dirs);
        means_here = means_here || may_mean_here(part);
    }
    CHECK(!resolved || means_here || !profile_directory_matches(dirs, where, strlen(where)));
    free(copy);
}

static void take_path(const char *line)
{
    char expected[3 * PATH_MAX];
    char *path = malloc(PATH_MAX);
    snprintf(path, PATH_MAX, "%s", line);
    snprintf(expected, sizeof expected, "%s/%s",
             where == NULL || str_equal(where, "/") ? "" : where, path);
    bool fits = strlen(expected) < PATH_MAX;
    bool stays = path[0] == '\0' || path[0] == '/' || where == NULL || !fits;
    if (stays)
        strcpy(expected, path);
    if (path[0] != '\0')
        path_make_absolute(path, PATH_MAX);
    CHECK(str_equal(path, expected));
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    char *line = take_line(&in);
    char here[PATH_MAX];
    where = NULL;
    where = *line == '/' ? real_name_of(line, here) : NULL;
    char *dirs = take_line(&in);
    char *path = take_line(&in);
    take_dirs(dirs);
    take_path(path);
    free(path);
    free(dirs);
    free(line);
    return 0;
}
