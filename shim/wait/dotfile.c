#include "wait/dotfile.h"

#include "base/path.h"
#include "base/scratch.h"
#include "base/sys.h"

#include <limits.h>

const char dotfile_ending[] = ".lock";

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
