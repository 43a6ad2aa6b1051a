#include "commands/copy_tree.h"

#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A directory that is being listed, within those that led to it. */
struct walk {
    struct tree *tree;
    const struct profile *profile;
    struct identity without;
    struct text *why;
    const struct walk *above;
    struct identity identity;
    int fd;
    const char *path; /* "" of the store's directory */
};

static bool fail(const struct walk *w, const char *path, int error)
{
    text_path(w->why, path[0] == '\0' ? "." : path);
    text_str(w->why, ": ");
    text_str(w->why, strerror(error));
    return false;
}

static bool is_database(const struct profile *profile, const char *name)
{
    size_t length = strlen(profile->primary);
    if (length == 0 || strncmp(name, profile->primary, length) != 0)
        return false;
    const char *sidecar;
    for (int i = 0; (sidecar = profile_sidecar(profile, i)) != NULL; i++)
        if (str_equal(name + length, sidecar))
            return true;
    return name[length] == '\0';
}

/* Of an engine that is kept out, every file. */
static bool must_rest(const struct walk *w, const char *name)
{
    if (w->profile->copy == COPY_LOCKED)
        return true;
    bool in_collection = w->above != NULL && w->above->above == NULL;
    const char *ending;
    for (int i = 0; in_collection && (ending = profile_secondary(w->profile, i)) != NULL; i++)
        if (str_ends_with(name, ending))
            return true;
    return false;
}

static bool add(const struct walk *w, const char *path, const struct stat *st)
{
    struct tree *t = w->tree;
    if (t->count == t->room) {
        size_t room = t->room == 0 ? 64 : 2 * t->room;
        struct tree_entry *entries = realloc(t->entries, room * sizeof *entries);
        if (entries == NULL)
            return fail(w, path, ENOMEM);
        t->entries = entries;
        t->room = room;
    }
    struct tree_entry *e = &t->entries[t->count];
    *e = (struct tree_entry){strdup(path), *st, must_rest(w, path_name(path)), false};
    if (e->path == NULL)
        return fail(w, path, ENOMEM);
    t->count++;
    return true;
}

/* A link can lead to a directory that it is itself in. */
static bool is_above(const struct walk *w, const struct stat *st)
{
    for (; w != NULL; w = w->above)
        if (identity_same(w->identity, identity_of(st)))
            return true;
    return false;
}

static bool list(const struct walk *w);

static bool descend(const struct walk *w, const char *name, const char *path, const struct stat *st)
{
    struct walk below = *w;
    if (is_above(w, st) || identity_same(w->without, identity_of(st)))
        return true;
    below.above = w;
    below.identity = identity_of(st);
    below.path = path;
    below.fd = openat(w->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (below.fd < 0)
        return errno == ENOENT || fail(w, path, errno);
    if (add(w, path, st))
        return list(&below);
    close(below.fd);
    return false;
}

static bool look_at(const struct walk *w, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    if (w->path[0] == '\0' ? !str_copy(path, sizeof path, name)
                           : !path_join(path, sizeof path, w->path, name))
        return fail(w, name, ENAMETOOLONG);
    if (fstatat(w->fd, name, &st, 0) != 0)
        return errno == ENOENT || fail(w, path, errno);
    if (S_ISDIR(st.st_mode))
        return descend(w, name, path, &st);
    if (!S_ISREG(st.st_mode) || (w->above == NULL && is_database(w->profile, name)))
        return true;
    return add(w, path, &st);
}

static bool is_dots(const char *name)
{
    return str_equal(name, ".") || str_equal(name, "..");
}

/* Takes the descriptor over. */
static bool list(const struct walk *w)
{
    DIR *directory = fdopendir(w->fd);
    bool good = directory != NULL;
    if (!good) {
        close(w->fd);
        return fail(w, w->path, errno);
    }
    while (good) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            good = errno == 0 || fail(w, w->path, errno);
            break;
        }
        good = is_dots(entry->d_name) || look_at(w, entry->d_name);
    }
    closedir(directory);
    return good;
}

static int by_path(const void *a, const void *b)
{
    const struct tree_entry *left = a;
    const struct tree_entry *right = b;
    return strcmp(left->path, right->path);
}

bool tree_read(struct tree *tree, int directory, const struct profile *profile,
               struct identity without, struct text *why)
{
    struct stat st;
    struct walk top = {
        .tree = tree, .profile = profile, .without = without, .why = why, .path = ""};
    *tree = (struct tree){NULL, 0, 0};
    top.fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top.fd < 0 || fstat(top.fd, &st) != 0)
        return fail(&top, "", errno);
    top.identity = identity_of(&st);
    bool good = list(&top);
    if (tree->count > 0)
        qsort(tree->entries, tree->count, sizeof *tree->entries, by_path);
    return good;
}

void tree_free(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        free(tree->entries[i].path);
    free(tree->entries);
    *tree = (struct tree){NULL, 0, 0};
}

const struct tree_entry *tree_find(const struct tree *tree, const char *path)
{
    const struct tree_entry key = {.path = (char *)(uintptr_t)path};
    if (tree->count == 0)
        return NULL;
    return bsearch(&key, tree->entries, tree->count, sizeof key, by_path);
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool tree_same(const struct stat *a, const struct stat *b)
{
    return identity_same(identity_of(a), identity_of(b)) && a->st_size == b->st_size &&
           same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}
