/* Names of stores' files: any list of profiles, any globs of directories, any path. */
#include "config/profile.h"

#include "fuzz.h"

/* The parts of a colon-separated list, one at a time; NULL after the last. */
static char *next_part(const char **at)
{
    if (*at == NULL)
        return NULL;
    const char *colon = strchr(*at, ':');
    char *part = colon == NULL ? strdup(*at) : strndup(*at, (size_t)(colon - *at));
    *at = colon == NULL ? NULL : colon + 1;
    return part;
}

static bool is_name(const char *part)
{
    bool found = str_equal(part, "all");
    for (int i = 0; i < profile_count; i++)
        found |= !profiles[i].by_directory && str_equal(part, profiles[i].name);
    return found;
}

static profile_set select_profiles(const char *stores, const char *dirs)
{
    bool all = true;
    bool any = false;
    const char *at = stores;
    for (char *part; (part = next_part(&at)) != NULL; free(part)) {
        all &= is_name(part);
        any |= is_name(part);
    }
    CHECK(profile_list_known(stores) == all);
    profile_set set = profile_select(stores, dirs);
    CHECK((profile_select(stores, "") != 0) == any);
    CHECK(set == (profile_select(stores, "") | profile_select("", dirs)));
    CHECK((profile_select("", dirs) != 0) == (dirs[0] != '\0'));
    return set;
}

static bool is_plain(const char *dirs)
{
    return strpbrk(dirs, "*?[\\") == NULL;
}

/* A directory that is named without a glob matches, with or without a slash at its end. */
static void matches_plainly(const char *dirs, const char *directory)
{
    bool named = false;
    const char *at = dirs;
    for (char *part; (part = next_part(&at)) != NULL; free(part)) {
        size_t length = strlen(part);
        while (length > 1 && part[length - 1] == '/')
            part[--length] = '\0';
        named |= length > 0 && length < PATH_MAX && str_equal(part, directory);
    }
    bool matches = profile_directory_matches(dirs, directory, strlen(directory));
    CHECK(matches || !named || !is_plain(dirs));
    CHECK(!matches || named || !is_plain(dirs));
}

static bool is_part_of(const char *path, const struct profile *profile, const char *primary)
{
    if (!begins_with(path, primary))
        return false;
    const char *ending;
    for (int i = 0; (ending = profile_sidecar(profile, i)) != NULL; i++)
        if (str_equal(path + strlen(primary), ending))
            return true;
    return false;
}

/* <store>/chroma.sqlite3 and <store>/<collection>/x.bin */
static bool is_below(const char *path, const struct profile *profile, const char *primary)
{
    const char *slash = strrchr(primary, '/');
    size_t directory = (size_t)(slash - primary);
    if (!str_equal(slash + 1, profile->primary) || strncmp(path, primary, directory + 1) != 0)
        return false;
    const char *below = path + directory + 1;
    const char *collection = strchr(below, '/');
    if (collection == below && strchr(below + 1, '/') != NULL)
        collection = strchr(below + 1, '/'); /* of two slashes one is enough for the primary */
    if (collection == NULL || strchr(collection + 1, '/') != NULL)
        return false;
    for (int i = 0; profile_secondary(profile, i) != NULL; i++)
        if (str_ends_with(path, profile_secondary(profile, i)))
            return true;
    return false;
}

static void names(profile_set set, const char *dirs, const char *path)
{
    struct named n;
    profile_name(set, dirs, path, &n);
    if (n.role == ROLE_NONE) {
        CHECK(n.profile == NULL);
        return;
    }
    CHECK((set >> (n.profile - profiles) & 1) != 0);
    CHECK(memchr(n.primary, '\0', sizeof n.primary) != NULL && n.primary[0] == '/');
    CHECK(n.profile->primary[0] == '\0' || n.profile->beside[0] != '\0' ||
          profile_may_match(set, path));
    switch (n.role) {
    case ROLE_PRIMARY:
        CHECK(!n.profile->by_content);
        CHECK(str_equal(n.primary, path));
        break;
    case ROLE_CANDIDATE:
        CHECK(n.profile->by_content);
        CHECK(str_equal(n.primary, path));
        break;
    case ROLE_SIDECAR:
        CHECK(is_part_of(path, n.profile, n.primary));
        break;
    case ROLE_PUT_OFF: /* nothing that a name could tell */
    case ROLE_LATER:
        CHECK(false);
        break;
    case ROLE_SECONDARY:
        CHECK(is_below(path, n.profile, n.primary));
        break;
    case ROLE_NONE:
        break;
    }
}

static char *absolute(char *line)
{
    char *path = malloc(strlen(line) + 2);
    sprintf(path, "/%s", line);
    free(line);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    char *stores = take_line(&in);
    char *dirs = take_line(&in);
    char *path = absolute(take_line(&in));
    profile_set set = select_profiles(stores, dirs);
    matches_plainly(dirs, path);
    names(set, dirs, path);
    names((1u << profile_count) - 1, dirs, path);
    profile_may_match(set, path + 1);
    free(stores);
    free(dirs);
    free(path);
    return 0;
}
