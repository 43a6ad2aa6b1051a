#include "wait/locate.h"

#include "base/descriptor.h"
#include "base/path.h"
#include "base/sys.h"
#include "base/text.h"

#include <errno.h>

int locate_file(const char *path, char *out)
{
    struct stat st;
    int fd = sys_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0); /* opens no FIFO and no device */
    if (fd < 0)
        return -fd;
    int error = -sys_fstat(fd, &st);
    if (error == 0 && S_ISDIR(st.st_mode))
        error = EISDIR;
    if (error == 0)
        descriptor_path_in_helper(fd, out, PATH_MAX);
    if (error == 0 && out[0] != '/')
        str_copy(out, PATH_MAX, path);
    sys_close(fd);
    return error;
}

/* --- by its content or its name --- */

static const struct profile *profile_by_its_content(const char *path)
{
    char start[PROFILE_MAGIC_MOST];
    struct stat st;
    if (sys_stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return NULL;
    int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (fd < 0)
        return NULL; /* the wait says so */
    size_t length = descriptor_start(fd, start, sizeof start);
    sys_close(fd);
    return profile_of_content(profile_all(), start, length, (uint64_t)st.st_size);
}

static bool has_beside(const struct profile *p, const char *primary)
{
    char path[PATH_MAX];
    struct stat st;
    return p->beside[0] == '\0' ||
           (profile_beside(p, primary, path, sizeof path) && sys_stat(path, &st) == 0 &&
            S_ISREG(st.st_mode) && st.st_size >= p->beside_least);
}

/* Of a file in the directory of a lock file: puts that in its place, if it is there. */
static bool lead_to_primary(const struct profile *p, char *path)
{
    char primary[PATH_MAX];
    struct stat st;
    return path_join_part(primary, sizeof primary, path, (size_t)(path_name(path) - path),
                          p->primary) &&
           has_beside(p, primary) && sys_stat(primary, &st) == 0 && S_ISREG(st.st_mode) &&
           str_copy(path, PATH_MAX, primary);
}

int locate_file_of_store(const char *path, char *out, const struct profile **profile)
{
    int error = locate_file(path, out);
    *profile = error == 0 ? profile_by_its_content(out) : NULL;
    const struct profile *named = error == 0 && *profile == NULL ? profile_of_name(out) : NULL;
    if (named != NULL && named->beside[0] != '\0' && lead_to_primary(named, out))
        *profile = named;
    return error;
}

/* --- in a directory --- */

static int locate_primary(const char *directory, const struct profile *p, char *out)
{
    char path[PATH_MAX];
    if (!path_join(path, sizeof path, directory, p->primary))
        return ENAMETOOLONG;
    return has_beside(p, path) ? locate_file(path, out) : ENOENT;
}

int locate_store(const char *directory, char *out, const struct profile **profile)
{
    struct stat st;
    int error = -sys_stat(directory, &st);
    if (error != 0)
        return error;
    if (!S_ISDIR(st.st_mode))
        return ENOTDIR;
    for (int i = 0; i < profile_count; i++) {
        if (profiles[i].primary[0] == '\0')
            continue;
        error = locate_primary(directory, &profiles[i], out);
        *profile = &profiles[i];
        if (error != ENOENT && error != EISDIR)
            return error;
    }
    return ENODATA;
}
