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

static int locate_primary(const char *directory, const char *name, char *out)
{
    char path[PATH_MAX];
    return path_join(path, sizeof path, directory, name) ? locate_file(path, out) : ENAMETOOLONG;
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
        if (profiles[i].primary == NULL)
            continue;
        error = locate_primary(directory, profiles[i].primary, out);
        *profile = &profiles[i];
        if (error != ENOENT && error != EISDIR)
            return error;
    }
    return ENODATA;
}
