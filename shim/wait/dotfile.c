#include "wait/dotfile.h"

#include "base/path.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>

const char dotfile_ending[] = ".lock";

bool dotfile_has_name(const char *path)
{
    return path != NULL && str_ends_with(path, dotfile_ending);
}

size_t dotfile_stem(const char *path)
{
    return strlen(path) - strlen(dotfile_ending);
}

/* A file of that name is somebody else's, who may never remove it (Python's filelock). */
bool dotfile_is_held(const char *database)
{
    struct stat st;
    char *path = scratch_take();
    bool held = path != NULL && database[0] != '\0' &&
                path_beside(path, PATH_MAX, database, dotfile_ending) && sys_stat(path, &st) == 0 &&
                S_ISDIR(st.st_mode);
    scratch_give(path);
    return held;
}
