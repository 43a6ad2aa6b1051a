#include "config/profile.h"

#include "base/glob.h"
#include "base/path.h"
#include "base/scratch.h"

#include <string.h>

/* ChromaDB's persist directory: the HNSW index of each collection lies in a directory named after
 * it. */
static const char *const hnsw_endings[] = {".bin", ".pickle", NULL};

const struct profile profiles[] = {
    {.name = "chroma",
     .primary = "chroma.sqlite3",
     .secondaries = hnsw_endings,
     .copy = COPY_SQLITE},
    {.name = "directory", .by_directory = true},
    {.name = "sqlite", .by_content = true, .copy = COPY_SQLITE}, /* last: it asks for the content */
};
const int profile_count = sizeof profiles / sizeof profiles[0];

const char *const role_names[] = {"", "primary", "sidecar", "secondary", "candidate", "put off"};

/* What SQLite keeps beside a database, under its name: https://www.sqlite.org/tempfiles.html. */
const char *const sidecar_endings[] = {"-wal", "-shm", "-journal", NULL};

static bool in_set(profile_set set, int index)
{
    return (set >> index & 1u) != 0;
}

static bool listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at != NULL; at = strchr(at, ':')) {
        at += *at == ':';
        if (strncmp(at, name, length) == 0 && (at[length] == ':' || at[length] == '\0'))
            return true;
    }
    return false;
}

profile_set profile_select(const char *stores, const char *dirs)
{
    profile_set set = 0;
    for (int i = 0; i < profile_count; i++)
        if (profiles[i].by_directory ? dirs[0] != '\0' : listed(stores, profiles[i].name))
            set |= 1u << i;
    return set;
}

bool profile_list_known(const char *list)
{
    const char *at = list;
    for (;;) {
        size_t length = strcspn(at, ":");
        bool found = false;
        for (int i = 0; i < profile_count; i++)
            found |= !profiles[i].by_directory && strlen(profiles[i].name) == length &&
                     strncmp(profiles[i].name, at, length) == 0;
        if (!found)
            return false;
        if (at[length] == '\0')
            return true;
        at += length + 1;
    }
}

void profile_list_names(struct text *t)
{
    bool first = true;
    for (int i = 0; i < profile_count; i++) {
        if (profiles[i].by_directory)
            continue;
        text_str(t, first ? "" : " or ");
        text_str(t, profiles[i].name);
        first = false;
    }
}

/* The length of name without the ending of a sidecar; its whole length if it has none, or nothing
 * before it. */
static size_t stem_length(const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; sidecar_endings[i] != NULL; i++) {
        size_t ending = strlen(sidecar_endings[i]);
        if (length > ending && str_ends_with(name, sidecar_endings[i]))
            return length - ending;
    }
    return length;
}

static bool has_ending(const char *name, const char *const *endings)
{
    for (; endings != NULL && *endings != NULL; endings++)
        if (str_ends_with(name, *endings) && strlen(name) > strlen(*endings))
            return true;
    return false;
}

bool profile_may_match(profile_set set, const char *path)
{
    if (!profile_ending_possible(path)) /* a unit test holds it against the tables */
        return false;
    const char *name = path_name(path);
    size_t stem = stem_length(name);
    for (int i = 0; i < profile_count; i++) {
        if (!in_set(set, i))
            continue;
        const struct profile *p = &profiles[i];
        if (p->primary != NULL && strlen(p->primary) == stem &&
            strncmp(name, p->primary, stem) == 0)
            return true;
        if (has_ending(name, p->secondaries))
            return true;
    }
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

bool profile_directory_matches(const char *dirs, const char *path, size_t length)
{
    struct copies *in = scratch_take();
    if (in == NULL)
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
    size_t stem;      /* length of the name without the ending of a sidecar */
};

static bool is_sidecar(const struct parts *p)
{
    return p->name[p->stem] != '\0';
}

/* The file itself, or the one that it is a sidecar of. */
static bool name_self(struct named *n, const struct parts *p, enum role role)
{
    n->role = is_sidecar(p) ? ROLE_SIDECAR : role;
    return set_primary(n, p->path, p->directory + 1 + p->stem, NULL);
}

static bool name_by_name(struct named *n, const struct profile *profile, const struct parts *p,
                         const char *dirs)
{
    (void)dirs;
    return profile->primary != NULL && strlen(profile->primary) == p->stem &&
           strncmp(p->name, profile->primary, p->stem) == 0 && name_self(n, p, ROLE_PRIMARY);
}

static bool name_by_directory(struct named *n, const struct profile *profile, const struct parts *p,
                              const char *dirs)
{
    return profile->by_directory &&
           profile_directory_matches(dirs, p->path, p->directory > 0 ? p->directory : 1) &&
           name_self(n, p, ROLE_PRIMARY);
}

static bool name_by_ending(struct named *n, const struct profile *profile, const struct parts *p,
                           const char *dirs)
{
    (void)dirs;
    size_t parent = p->directory;
    if (!has_ending(p->name, profile->secondaries))
        return false;
    while (parent > 0 && p->path[parent - 1] != '/')
        parent--;
    n->role = ROLE_SECONDARY;
    return parent > 0 && set_primary(n, p->path, parent - 1, profile->primary);
}

static bool name_by_content(struct named *n, const struct profile *profile, const struct parts *p,
                            const char *dirs)
{
    (void)dirs;
    return profile->by_content && name_self(n, p, ROLE_CANDIDATE);
}

void profile_name(profile_set set, const char *dirs, const char *path, struct named *n)
{
    /* From what says most: a directory that somebody has named says more than an ending. */
    static bool (*const ways[])(struct named *, const struct profile *, const struct parts *,
                                const char *) = {name_by_name, name_by_directory, name_by_ending,
                                                 name_by_content};
    n->role = ROLE_NONE;
    n->profile = NULL;
    n->primary[0] = '\0';
    struct parts p = {.path = path, .name = path_name(path)};
    if (p.name == path || *p.name == '\0')
        return;
    p.directory = (size_t)(p.name - path) - 1; /* without the slash */
    p.stem = stem_length(p.name);

    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++)
        for (int i = 0; i < profile_count; i++)
            if (in_set(set, i) && ways[way](n, &profiles[i], &p, dirs)) {
                n->profile = &profiles[i];
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

bool profile_by_name(profile_set set)
{
    for (int i = 0; i < profile_count; i++)
        if (in_set(set, i) && profiles[i].primary != NULL)
            return true;
    return false;
}

bool profile_by_content(profile_set set)
{
    for (int i = 0; i < profile_count; i++)
        if (in_set(set, i) && profiles[i].by_content)
            return true;
    return false;
}

const struct profile *profile_of_content(void)
{
    for (int i = 0; i < profile_count; i++)
        if (profiles[i].by_content)
            return &profiles[i];
    return NULL;
}
