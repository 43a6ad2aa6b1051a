#include "commands/search_path.h"

#include "base/path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An empty entry of the list stands for the working directory. */
static bool join(char *out, size_t size, const char *entry, size_t length, const char *name)
{
    char directory[PATH_MAX];
    return path_part(directory, sizeof directory, entry, length) &&
           path_join(out, size, length == 0 ? "." : directory, name);
}

static bool is_program(const char *path)
{
    struct stat st;
    return access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool search_path(const char *name, char *out, size_t size)
{
    const char *list = getenv("PATH");
    for (const char *at = list == NULL ? "/usr/bin:/bin" : list;; at++) {
        const size_t length = strcspn(at, ":");
        if (join(out, size, at, length, name) && is_program(out))
            return true;
        at += length;
        if (*at == '\0')
            return false;
    }
}
