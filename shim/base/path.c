#include "base/path.h"

#include "base/text.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

/* Up to three pieces, one behind the other. */
static bool put(char *out, size_t size, const char *first, const char *second, const char *third)
{
    size_t lengths[] = {strlen(first), strlen(second), strlen(third)};
    if (lengths[0] + lengths[1] + lengths[2] >= size) {
        out[0] = '\0';
        return false;
    }
    struct text t = text_in(out, size);
    text_bytes(&t, first, lengths[0]);
    text_bytes(&t, second, lengths[1]);
    text_bytes(&t, third, lengths[2]);
    return true;
}

bool path_join(char *out, size_t size, const char *directory, const char *name)
{
    return put(out, size, directory, str_ends_with(directory, "/") ? "" : "/", name);
}

bool path_beside(char *out, size_t size, const char *path, const char *ending)
{
    return put(out, size, path, ending, "");
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
    struct text t = text_in(out, size);
    if (length >= size)
        return false;
    text_bytes(&t, path, length);
    return true;
}

/* The kernel gives one outside of the root as "(unreachable)/..." (getcwd(2)). */
bool path_working(char *out, size_t size)
{
    return getcwd(out, size) != NULL && out[0] == '/';
}

bool path_make_absolute(char *path, size_t size)
{
    char working[PATH_MAX];
    char whole[PATH_MAX];
    if (path[0] == '/')
        return true;
    return path_working(working, sizeof working) && path_join(whole, sizeof whole, working, path) &&
           strlen(whole) < size && str_copy(path, size, whole);
}
