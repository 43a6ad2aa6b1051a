#include "commands/copy_source.h"

#include "base/path.h"
#include "commands/database.h"

#include <string.h>
#include <sys/stat.h>

const struct profile *copy_source_profile(const struct target *t)
{
    if (t->request.profile != NULL)
        return t->request.profile;
    return database_is_one(t->request.path) ? &profiles[PROFILE_SQLITE] : NULL;
}

bool copy_source_is_sqlite(const struct target *t)
{
    const struct profile *profile = copy_source_profile(t);
    return profile != NULL && profile->copy == COPY_SQLITE;
}

bool copy_source_is_directory(const struct target *t)
{
    return t->request.profile != NULL && t->request.profile->primary[0] != '\0';
}

bool copy_source_directory(const struct target *t, char *out, size_t size)
{
    struct stat st;
    return stat(t->given, &st) == 0 && S_ISDIR(st.st_mode)
               ? str_copy(out, size, t->given)
               : path_directory(out, size, t->request.path);
}

bool copy_source_name(const struct target *t, char *out, size_t size)
{
    char path[PATH_MAX];
    bool fits = copy_source_is_directory(t) ? copy_source_directory(t, path, sizeof path)
                                            : str_copy(path, sizeof path, t->given);
    if (!fits)
        return false;
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
    const char *name = path_name(path);
    if (str_equal(name, ".") || str_equal(name, "..") || name[0] == '\0') {
        if (!path_directory(path, sizeof path, t->request.path))
            return false;
        name = path_name(path);
    }
    return name[0] != '\0' && str_copy(out, size, name);
}
