#include "base/path.h"

#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>

/* Moves *at behind what it has put there; false if that is not all of the string. */
static inline bool put_string(char **at, const char *last, const char *string)
{
    char *out = *at;
    while (*string != '\0' && out < last)
        *out++ = *string++;
    *out = '\0';
    *at = out;
    return *string == '\0';
}

/* The first bytes of a string, and two more strings behind them. On a close's path: in a small
 * frame, and nothing is measured first. */
static bool put(char *out, size_t size, const char *first, size_t length, const char *second,
                const char *third)
{
    if (length < size) {
        const char *last = out + size - 1;
        char *at = out + length;
        memcpy(out, first, length);
        if (put_string(&at, last, second) && put_string(&at, last, third))
            return true;
    }
    out[0] = '\0';
    return false;
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
