#include "commands/copy_place.h"

#include "base/descriptor.h"
#include "base/path.h"
#include "commands/copy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static bool fail(struct text *why, const char *path, const char *reason)
{
    text_str(why, "cannot be copied to ");
    text_path(why, path);
    text_str(why, ": ");
    text_str(why, reason);
    return false;
}

/* Without the slashes at its end. */
static bool cut_name(struct copy_place *place, const char *to, struct text *why)
{
    size_t length = strlen(to);
    while (length > 1 && to[length - 1] == '/')
        length--;
    if (!path_part(place->path, sizeof place->path, to, length))
        return fail(why, to, strerror(ENAMETOOLONG));
    const char *name = path_name(place->path);
    if (name[0] == '\0' || str_equal(name, ".") || str_equal(name, ".."))
        return fail(why, to, "expected the name that the copy is to have");
    return str_copy(place->name, sizeof place->name, name) || fail(why, to, strerror(ENAMETOOLONG));
}

static void make_absolute(struct copy_place *place)
{
    char directory[PATH_MAX];
    char whole[PATH_MAX];
    descriptor_path(place->parent, directory, sizeof directory);
    if (directory[0] == '/' && path_join(whole, sizeof whole, directory, place->name))
        str_copy(place->path, sizeof place->path, whole);
}

bool copy_place_find(struct copy_place *place, const char *to, struct text *why)
{
    char directory[PATH_MAX];
    struct stat st;
    *place = (struct copy_place){.parent = -1, .temporary = -1};
    if (!cut_name(place, to, why))
        return false;
    path_directory(directory, sizeof directory, place->path);
    place->parent = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place->parent < 0)
        return fail(why, to,
                    errno == ENOENT ? "there is no directory for it; expected one that exists"
                                    : strerror(errno));
    make_absolute(place);
    if (fstatat(place->parent, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return fail(why, to, "it is there already; expected a name that is new");
    /* So much of the name that the whole is none that is too long. */
    struct text temporary = text_in(place->temporary_name, sizeof place->temporary_name);
    text_str(&temporary, ".");
    text_bytes(&temporary, place->name, strnlen(place->name, 200));
    text_str(&temporary, ".settle-copy");
    return true;
}

bool copy_place_is_clear(const struct copy_place *place, const struct profile *profile,
                         struct text *why)
{
    char name[PATH_MAX];
    struct stat st;
    const char *sidecar;
    for (int i = 0; (sidecar = profile_sidecar(profile, i)) != NULL; i++) {
        if (!path_beside(name, sizeof name, place->name, sidecar) ||
            fstatat(place->parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        text_path(why, name);
        text_str(why, " is there already, and would be taken for the copy's; expected a name that "
                      "is new");
        return false;
    }
    return true;
}

/* Up to the root, which is above itself. */
bool copy_place_is_in(const struct copy_place *place, const char *directory)
{
    struct stat wanted;
    struct stat here;
    struct stat below = {.st_ino = 0};
    bool found = false;
    if (stat(directory, &wanted) != 0)
        return false;
    int fd = dup(place->parent);
    while (fd >= 0 && !found && fstat(fd, &here) == 0 &&
           !identity_same(identity_of(&here), identity_of(&below))) {
        found = identity_same(identity_of(&here), identity_of(&wanted));
        below = here;
        int above = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = above;
    }
    if (fd >= 0)
        close(fd);
    return found;
}

/* Its lock is held by whoever works in it, and by nobody once they have ended. */
static bool make_once(struct copy_place *place)
{
    if (mkdirat(place->parent, place->temporary_name, 0700) != 0)
        return false;
    place->temporary = openat(place->parent, place->temporary_name,
                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (place->temporary < 0)
        return false;
    flock(place->temporary, LOCK_EX | LOCK_NB);
    return true;
}

static bool remove_left_behind(const struct copy_place *place)
{
    int fd = openat(place->parent, place->temporary_name,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ours = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (ours)
        ours = copy_remove(place->parent, place->temporary_name) == 0;
    if (fd >= 0)
        close(fd);
    return ours;
}

bool copy_place_make(struct copy_place *place, struct text *why)
{
    if (make_once(place))
        return true;
    if (errno != EEXIST)
        return fail(why, place->path, strerror(errno));
    if (remove_left_behind(place) && make_once(place))
        return true;
    fail(why, place->path, "another copy of that name is being made, in ");
    text_path(why, place->temporary_name);
    return false;
}

void copy_place_remove(struct copy_place *place)
{
    if (place->temporary < 0)
        return;
    copy_remove(place->parent, place->temporary_name);
    close(place->temporary);
    place->temporary = -1;
}
