#include "base/path.h"

#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>

static char *put_string(char *at, const char *string)
{
    while (*string != '\0')
        *at++ = *string++;
    *at = '\0';
    return at;
}

/* The first bytes of a string, and two more strings behind them. On a close's path: in a small
 * frame. */
static bool put(char *out, size_t size, const char *first, size_t length, const char *second,
                const char *third)
{
    if (length + strlen(second) + strlen(third) >= size) {
        out[0] = '\0';
        return false;
    }
    memcpy(out, first, length);
    put_string(put_string(out + length, second), third);
    return true;
}

bool path_join_part(char *out, size_t size, const char *path, size_t length, const char *name)
{
    bool has_slash = length > 0 && path[length - 1] == '/';
    return put(out, size, path, length, has_slash ? "" : "/", name);
}

bool path_join(char *out, size_t size, const char *directory, const char *name)
{
    return path_join_part(out, size, directory, strlen(directory), name);
}

bool path_beside(char *out, size_t size, const char *path, const char *ending)
{
    return put(out, size, path, strlen(path), ending, "");
}

bool path_part(char *out, size_t size, const char *path, size_t length)
{
    return put(out, size, path, length, "", "");
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

bool path_directory(char *out, size_t size, const char *path)
{
    size_t length = (size_t)(path_name(path) - path); /* with the slash */
    if (length == 0)
        return str_copy(out, size, ".");
    length -= length > 1;
    return path_part(out, size, path, length);
}

bool path_cut(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL || str_equal(path, "/"))
        return false;
    slash[slash == path] = '\0';
    return true;
}

/* The kernel gives one outside of the root as "(unreachable)/..." (getcwd(2)). */
bool path_working(char *out, size_t size)
{
    return sys_getcwd(out, size) > 0 && out[0] == '/';
}

bool path_make_absolute(char *path, size_t size)
{
    struct {
        char working[PATH_MAX], whole[PATH_MAX];
    } * in; /* not on the stack, which is the program's */
    if (path[0] == '/')
        return true;
    if ((in = scratch_take()) == NULL)
        return false;
    const bool good = path_working(in->working, sizeof in->working) &&
                      path_join(in->whole, sizeof in->whole, in->working, path) &&
                      strlen(in->whole) < size && str_copy(path, size, in->whole);
    scratch_give(in);
    return good;
}
