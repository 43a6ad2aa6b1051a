#include "config/profile.h"

#include "base/glob.h"

#include <string.h>

/* ChromaDB's persist directory: the HNSW index of each collection lies in a directory named after
 * it. */
static const char *const hnsw_endings[] = {".bin", ".pickle", NULL};

const struct profile profiles[] = {
    {.name = "chroma", .primary = "chroma.sqlite3", .secondaries = hnsw_endings},
    {.name = "directory", .by_directory = true},
    {.name = "sqlite", .by_content = true}, /* last: it asks for the file's content */
};
const int profile_count = sizeof profiles / sizeof profiles[0];

/* https://www.sqlite.org/tempfiles.html: what SQLite keeps beside a database, under its name. */
const char *const role_names[] = {"", "primary", "sidecar", "secondary", "candidate"};

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

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
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
    const char *name = base_name(path);
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

bool profile_directory_matches(const char *dirs, const char *directory)
{
    char glob[PATH_MAX];
    for (const char *at = dirs; *at != '\0';) {
        size_t length = strcspn(at, ":");
        size_t kept = length;
        while (kept > 1 && at[kept - 1] == '/')
            kept--;
        if (kept > 0 && kept < sizeof glob) {
            memcpy(glob, at, kept);
            glob[kept] = '\0';
            if (glob_matches(glob, directory))
                return true;
        }
        at += length + (at[length] == ':');
    }
    return false;
}

/* Fills in the primary's path from the first `length` bytes of a path and, after a slash, a name.
 */
static bool set_primary(struct named *n, const char *path, size_t length, const char *name)
{
    struct text t = text_in(n->primary, sizeof n->primary);
    text_bytes(&t, path, length);
    if (name != NULL) {
        text_str(&t, "/");
        text_str(&t, name);
    }
    return t.length + 1 < t.size;
}

struct named profile_name(profile_set set, const char *dirs, const char *path)
{
    struct named n = {.role = ROLE_NONE, .profile = NULL, .primary = ""};
    const char *name = base_name(path);
    if (name == path || *name == '\0')
        return n;
    size_t directory = (size_t)(name - path) - 1; /* without the slash */
    size_t stem = stem_length(name);
    bool sidecar = name[stem] != '\0';

    for (int i = 0; i < profile_count; i++) {
        if (!in_set(set, i))
            continue;
        const struct profile *p = &profiles[i];
        n.profile = p;
        if (p->primary != NULL && strlen(p->primary) == stem &&
            strncmp(name, p->primary, stem) == 0) {
            n.role = sidecar ? ROLE_SIDECAR : ROLE_PRIMARY;
            if (set_primary(&n, path, directory + 1 + stem, NULL))
                return n;
        }
        if (has_ending(name, p->secondaries)) {
            size_t parent = directory;
            while (parent > 0 && path[parent - 1] != '/')
                parent--;
            n.role = ROLE_SECONDARY;
            if (parent > 0 && set_primary(&n, path, parent - 1, p->primary))
                return n;
        }
        if (p->by_content) {
            n.role = sidecar ? ROLE_SIDECAR : ROLE_CANDIDATE;
            if (set_primary(&n, path, directory + 1 + stem, NULL))
                return n;
        }
        if (p->by_directory) {
            char parent[PATH_MAX];
            struct text t = text_in(parent, sizeof parent);
            text_bytes(&t, directory > 0 ? path : "/", directory > 0 ? directory : 1);
            n.role = sidecar ? ROLE_SIDECAR : ROLE_PRIMARY;
            if (profile_directory_matches(dirs, parent) &&
                set_primary(&n, path, directory + 1 + stem, NULL))
                return n;
        }
    }
    n.role = ROLE_NONE;
    n.profile = NULL;
    return n;
}

bool profile_names_store(const char *path)
{
    struct named named = profile_name(profile_select("chroma", ""), "", path);
    return named.role == ROLE_PRIMARY || named.role == ROLE_SIDECAR;
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
