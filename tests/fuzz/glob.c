/* Globs, against a slow reading of what glob.h says of them. */
#include "base/glob.h"

#include "fuzz.h"

enum { SLOW_MOST = 24 }; /* bytes; the slow reading takes all ways */

/* A set's members: from behind the [ to the ]. NULL: nothing closes it in this name. */
static const char *read_set(const char *glob, unsigned char c, bool *found)
{
    bool negated = *glob == '!' || *glob == '^';
    const char *at = glob + negated;
    const char *first = at;
    bool member = false;
    while (at == first || *at != ']') {
        unsigned char bounds[2];
        for (int i = 0; i < 2; i++) {
            if (*at == '\\')
                at++;
            if (*at == '\0' || *at == '/')
                return NULL;
            bounds[i] = (unsigned char)*at++;
            if (i == 0 && (at[0] != '-' || at[1] == ']')) {
                bounds[1] = bounds[0];
                break;
            }
            at += i == 0;
        }
        member |= bounds[0] <= c && c <= bounds[1];
    }
    *found = member != negated;
    return at + 1;
}

/* begins: at the beginning of a name. */
static bool matches_slowly(const char *glob, const char *path, bool begins)
{
    bool hidden = begins && *path == '.';
    if (*glob == '\0')
        return *path == '\0';
    if (*glob == '*') {
        if (hidden)
            return false;
        for (const char *at = path;; at++) {
            if (matches_slowly(glob + 1, at, begins && at == path))
                return true;
            if (*at == '\0' || *at == '/')
                return false;
        }
    }
    if (*path == '\0')
        return false;
    bool found = false;
    const char *behind = *glob == '[' ? read_set(glob + 1, (unsigned char)*path, &found) : NULL;
    if (behind != NULL || *glob == '?')
        return *path != '/' && !hidden && (behind == NULL || found) &&
               matches_slowly(behind != NULL ? behind : glob + 1, path + 1, false);
    glob += *glob == '\\' && glob[1] != '\0';
    return *glob == *path && matches_slowly(glob + 1, path + 1, *path == '/');
}

/* One that covers matches a directory above. */
static bool covers_slowly(const char *glob, const char *path)
{
    bool covers = false;
    for (const char *slash = path; !covers && (slash = strchr(slash, '/')) != NULL; slash++) {
        char *directory = strndup(path, (size_t)(slash - path));
        covers = glob_matches(glob, directory);
        free(directory);
    }
    return covers;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    char *glob = take_line(&in);
    char *path = take_line(&in);
    glob[strnlen(glob, PATH_MAX - 1)] = '\0'; /* as long as a path may be */
    path[strnlen(path, PATH_MAX - 1)] = '\0';
    bool matches = glob_matches(glob, path);
    bool covers = glob_covers(glob, path);
    CHECK(strlen(path) > 200 || covers == covers_slowly(glob, path));
    if (strlen(glob) <= SLOW_MOST && strlen(path) <= SLOW_MOST)
        CHECK(matches == matches_slowly(glob, path, true));
    free(glob);
    free(path);
    return 0;
}
