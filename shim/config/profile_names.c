/* What the name of a file says: of which profile's stores it is, and as what. */
#include "base/glob.h"
#include "base/path.h"
#include "base/scratch.h"
#include "config/profile.h"

/* The length of name without the ending of a sidecar; its whole length if it has none, or nothing
 * before it. */
static size_t stem_length(const struct profile *profile, const char *name)
{
    size_t length = strlen(name);
    const char *sidecar;
    for (int i = 0; (sidecar = profile_sidecar(profile, i)) != NULL; i++) {
        size_t ending = strlen(sidecar);
        if (length > ending && str_equal(name + length - ending, sidecar))
            return length - ending;
    }
    return length;
}

bool profile_is_secondary(const struct profile *profile, const char *name)
{
    const char *ending;
    for (int i = 0; (ending = profile_secondary(profile, i)) != NULL; i++)
        if (str_ends_with(name, ending) && strlen(name) > strlen(ending))
            return true;
    return false;
}

/* That of its primary, or of a sidecar of that. */
static bool has_name(const struct profile *p, const char *name)
{
    size_t stem = stem_length(p, name);
    return p->primary[0] != '\0' && strlen(p->primary) == stem &&
           strncmp(name, p->primary, stem) == 0;
}

/* Not in the frame of the first look, which nearly always is all. */
static __attribute__((noinline)) bool may_match(profile_set set, const char *path)
{
    const char *name = path_name(path);
    for (; set != 0; set = profile_rest(set)) {
        const struct profile *p = profile_first(set);
        if (p->beside[0] == '\0' && (has_name(p, name) || profile_is_secondary(p, name)))
            return true;
    }
    return false;
}

bool profile_may_match(profile_set set, const char *path)
{
    return profile_ending_possible(path) /* a unit test holds it against the tables */
           && may_match(set, path);
}

const struct profile *profile_of_lock_name(profile_set set, const char *path)
{
    const char *name = path_name(path);
    for (; set != 0; set = profile_rest(set))
        if (profile_first(set)->beside[0] != '\0' && strcmp(name, profile_first(set)->primary) == 0)
            return profile_first(set);
    return NULL;
}

bool profile_may_be_sidecar(profile_set set, const char *path)
{
    const char *name = path_name(path);
    for (; set != 0; set = profile_rest(set))
        if (profile_first(set)->by_content && name[stem_length(profile_first(set), name)] != '\0')
            return true;
    return false;
}

bool profile_may_be_secondary(profile_set set, const char *path)
{
    const char *name = path_name(path);
    for (; set != 0; set = profile_rest(set))
        if (profile_is_secondary(profile_first(set), name))
            return true;
    return false;
}

/* Two strings that are parts of others, in memory of their own (scratch.h). */
struct copies {
    char directory[PATH_MAX], glob[PATH_MAX];
};

static bool matches_in(const char *dirs, struct copies *in)
{
    for (const char *at = dirs; *at != '\0';) {
        size_t size = strcspn(at, ":");
        size_t kept = size;
        while (kept > 1 && at[kept - 1] == '/')
            kept--;
        if (kept > 0 && path_part(in->glob, sizeof in->glob, at, kept) &&
            glob_matches(in->glob, in->directory))
            return true;
        at += size + (at[size] == ':');
    }
    return false;
}

/* Of a glob in a list: matches itself alone. */
static bool is_plain(char c)
{
    switch (c) {
    case '\0':
    case ':':
    case '*':
    case '?':
    case '[':
    case '\\':
        return false;
    default:
        return true;
    }
}

/* Whether a path begins as one of the globs does, up to where that is more than itself, or ends.
 * Most files lie in no such directory, and end here. */
static bool begins_as_any(const char *dirs, const char *path)
{
    for (const char *at = dirs; *at != '\0'; at += *at == ':') {
        const char *same = path;
        for (; is_plain(*at) && *at == *same; at++)
            same++;
        if (!is_plain(*at) || *at == '/') /* the slashes that it ends with count for nothing */
            return true;
        while (*at != ':' && *at != '\0')
            at++;
    }
    return false;
}

bool profile_directory_matches(const char *dirs, const char *path, size_t length)
{
    struct copies *in;
    if (!begins_as_any(dirs, path) || (in = scratch_take()) == NULL)
        return false;
    bool found =
        path_part(in->directory, sizeof in->directory, path, length) && matches_in(dirs, in);
    scratch_give(in);
    return found;
}

/* Fills in the primary's path from the first `length` bytes of a path and, where that is a
 * directory, its name in there. */
static bool set_primary(struct named *n, const char *path, size_t length, const char *name)
{
    return name == NULL ? path_part(n->primary, sizeof n->primary, path, length)
                        : path_join_part(n->primary, sizeof n->primary, path, length, name);
}

/* A path and the parts of it that tell what it is. */
struct parts {
    const char *path;
    const char *name; /* its last component */
    size_t directory; /* length of the path to the slash before the name */
};

/* The file itself, or the one that it is a sidecar of. */
static bool name_self(struct named *n, const struct profile *profile, const struct parts *p,
                      enum role role)
{
    const size_t stem = stem_length(profile, p->name);
    n->role = p->name[stem] != '\0' ? ROLE_SIDECAR : role;
    return set_primary(n, p->path, p->directory + 1 + stem, NULL);
}

static bool name_by_name(struct named *n, const struct profile *profile, const struct parts *p,
                         const char *dirs)
{
    (void)dirs;
    return has_name(profile, p->name) && name_self(n, profile, p, ROLE_PRIMARY);
}

static bool name_by_directory(struct named *n, const struct profile *profile, const struct parts *p,
                              const char *dirs)
{
    return profile->by_directory &&
           profile_directory_matches(dirs, p->path, p->directory > 0 ? p->directory : 1) &&
           name_self(n, profile, p, ROLE_PRIMARY);
}

static bool name_by_ending(struct named *n, const struct profile *profile, const struct parts *p,
                           const char *dirs)
{
    (void)dirs;
    size_t parent = p->directory;
    if (!profile_is_secondary(profile, p->name))
        return false;
    while (parent > 0 && p->path[parent - 1] != '/')
        parent--;
    n->role = ROLE_SECONDARY;
    return parent > 0 && set_primary(n, p->path, parent - 1, profile->primary);
}

/* One that has the ending of a sidecar is that of the row, whatever is in it. */
static bool name_as_sidecar(struct named *n, const struct profile *profile, const struct parts *p,
                            const char *dirs)
{
    (void)dirs;
    return profile->by_content && name_self(n, profile, p, ROLE_CANDIDATE) &&
           n->role == ROLE_SIDECAR;
}

static bool name_by_content(struct named *n, const struct profile *profile, const struct parts *p,
                            const char *dirs)
{
    (void)dirs;
    return profile->by_content && name_self(n, profile, p, ROLE_CANDIDATE);
}

void profile_name(profile_set set, const char *dirs, const char *path, struct named *n)
{
    /* From what says most: a directory that somebody has named says more than an ending. */
    static bool (*const ways[])(struct named *, const struct profile *, const struct parts *,
                                const char *) = {name_by_name, name_by_directory, name_by_ending,
                                                 name_as_sidecar, name_by_content};
    n->role = ROLE_NONE;
    n->profile = NULL;
    n->primary[0] = '\0';
    struct parts p = {.path = path, .name = path_name(path)};
    if (p.name == path || *p.name == '\0')
        return;
    p.directory = (size_t)(p.name - path) - 1; /* without the slash */

    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++)
        for (profile_set rest = set; rest != 0; rest = profile_rest(rest))
            if (ways[way](n, profile_first(rest), &p, dirs)) {
                n->profile = profile_first(rest);
                return;
            }
    n->role = ROLE_NONE;
}

bool profile_names_store(const char *path)
{
    struct named *named = scratch_take();
    if (named == NULL)
        return false;
    profile_name(profile_select("chroma", ""), "", path, named);
    bool names = named->role == ROLE_PRIMARY || named->role == ROLE_SIDECAR;
    scratch_give(named);
    return names;
}
