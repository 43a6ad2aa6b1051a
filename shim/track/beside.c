#include "track/beside.h"

#include "base/descriptor.h"
#include "base/file_system.h"
#include "base/listing.h"
#include "base/path.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"
#include "track/books.h"
#include "track/crossing.h"
#include "track/handle.h"
#include "track/in_place.h"
#include "track/keep.h"
#include "track/process.h"

#include <dirent.h>
#include <sys/file.h>

static struct beside_books *const own = &BOOKS.beside;
static const struct settings *settings;

/* HELD: or it cannot be asked. */
enum found { FREE, MISSING, HELD };

/* For longer than these take signals are not to be held. */
enum { FILES_MOST = 64, DIRECTORIES_MOST = 64 };

struct scene {
    const struct store *store; /* NULL: nothing may be opened */
    const struct profile *profile;
    int home;
    bool asked;     /* whether something may be opened, which then */
    bool may_open;  /* is the answer, */
    sys_sigset old; /* and, where it may, the mask before signals were held */
    unsigned limit; /* of numbers */
    unsigned files, directories, collections;
    struct listing root, collection;
    char path[PATH_MAX];
};
_Static_assert(sizeof(struct scene) <= SCRATCH_SIZE, "it has room");

SYS_AT_START void beside_start(const struct settings *s)
{
    settings = s;
}

/* --- whether something may be opened --- */

static void end(const struct scene *s)
{
    if (s->may_open) {
        atomic_store(&own->asking, false);
        process_let_signals(s->old);
    }
}

/* Asked of the books with signals held: this process has none of the store's files open, and
 * nothing is put off, of which there would be more and more otherwise. */
static void begin(struct scene *s)
{
    if (s->store == NULL)
        return;
    s->old = process_hold_signals();
    s->may_open = process_home() == s->home && handle_count_of(s->store) == 0 &&
                  atomic_load(&BOOKS.places.count) == 0 && !atomic_exchange(&own->asking, true);
    if (!s->may_open)
        process_let_signals(s->old);
    s->limit = descriptor_limit();
}

static bool may_open(struct scene *s)
{
    if (!s->asked) {
        s->asked = true;
        begin(s);
    }
    return s->may_open;
}

/* --- a descriptor in the program's table --- */

/* Somebody has a lock on it. The kernel names one of those who have, so that it is no answer whose
 * it names. */
static SYS_OWN_FRAME void part_with(int fd)
{
    struct stat st;
    if (sys_fstat(fd, &st) < 0 || descriptor_has_another(fd, identity_of(&st)))
        keep_open(fd);
    else
        sys_close(fd);
}

/* Whether nobody has a POSIX or OFD lock on it. It is open no more, or kept for good. */
static bool leave(int fd, enum lent lent)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    crossing_hold_all_locks();
    const bool free = sys_fcntl(fd, F_OFD_GETLK, (long)&lock) == 0 && lock.l_type == F_UNLCK;
    place_lend(lent, -1);
    if (free)
        sys_close(fd);
    else
        part_with(fd);
    crossing_let_all_locks();
    return free;
}

/* Opens what lies in a directory itself: no link, and nothing that is mounted there. -errno where
 * it cannot. */
static int take(const struct scene *s, int directory, const char *name, int more, enum lent lent)
{
    const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW | more;
    const int fd = directory == AT_FDCWD ? sys_openat(directory, name, flags, 0)
                                         : sys_openat_within(directory, name, flags);
    if (fd < 0)
        return fd;
    place_lend(lent, fd);
    if (descriptor_is_spare(fd, s->limit))
        return fd;
    leave(fd, lent);
    return -EMFILE;
}

/* The flock that is tried for is given back at once: a child may have got the descriptor. */
static bool has_no_flock(int fd)
{
    return sys_flock(fd, LOCK_EX | LOCK_NB) == 0 && sys_flock(fd, LOCK_UN) == 0;
}

static enum found ask(struct scene *s, int directory, const char *name)
{
    if (s->files++ == FILES_MOST)
        return HELD;
    const int fd = take(s, directory, name, 0, LENT_FILE);
    if (fd < 0)
        return fd == -ENOENT ? MISSING : HELD;
    const bool free = has_no_flock(fd);
    return leave(fd, LENT_FILE) && free ? FREE : HELD;
}

/* --- the journal --- */

static SYS_OWN_FRAME bool sidecar_is_free(struct scene *s, const char *ending)
{
    struct stat st;
    const int result = sys_fstatat(AT_FDCWD, s->path, &st, AT_SYMLINK_NOFOLLOW);
    if (result < 0)
        return result == -ENOENT;
    if (s->store != NULL && in_place_is_left(s->store, &st))
        return true;
    return str_equal(ending, "-journal") && S_ISREG(st.st_mode) && may_open(s) &&
           st.st_dev == atomic_load(&s->store->dev) && ask(s, AT_FDCWD, s->path) != HELD;
}

static bool sidecars_are_free(struct scene *s, const char *path)
{
    bool free = true;
    const char *ending;
    for (int i = 0; free && (ending = profile_sidecar(s->profile, i)) != NULL; i++)
        free = path_beside(s->path, sizeof s->path, path, ending) && sidecar_is_free(s, ending);
    return free;
}

/* --- the collections --- */

/* Those that a wait asks for first (wait/secondaries.c), by their usual names: to list a directory
 * takes longer than to ask for one of them. They are not looked at before, as what is listed is:
 * hnswlib's own names are those of regular files, and a FIFO is opened without waiting. MISSING:
 * there may be others to be asked for. */
static enum found ask_usual(struct scene *s, const char *collection)
{
    enum found found = FREE;
    unsigned files = 0;
    const char *name;
    for (int i = 0; found == FREE && (name = profile_usual(s->profile, i)) != NULL; i++) {
        if (!path_join(s->path, sizeof s->path, collection, name))
            return HELD;
        found = ask(s, s->root.fd, s->path);
        if (found == FREE && ++files == settings->max_files)
            return FREE;
    }
    return found == HELD ? HELD : MISSING;
}

/* As many as a wait asks for; those that are asked for twice do no harm. */
static bool listed_are_free(struct scene *s, const char *collection)
{
    const int fd = take(s, s->root.fd, collection, O_DIRECTORY, LENT_COLLECTION);
    if (fd < 0)
        return fd == -ENOENT;
    bool free = s->directories++ < DIRECTORIES_MOST;
    unsigned files = 0;
    const struct entry *entry;
    listing_begin(&s->collection, fd);
    while (free && (settings->max_files == 0 || files < settings->max_files) &&
           (entry = listing_next(&s->collection)) != NULL)
        if (profile_is_secondary(s->profile, entry->name)) {
            files++;
            free = entry->type == DT_REG && ask(s, fd, entry->name) != HELD;
        }
    s->collections += files > 0;
    return leave(fd, LENT_COLLECTION) && free && s->collection.length >= 0;
}

static bool collection_is_free(struct scene *s, const char *name)
{
    const enum found found = ask_usual(s, name);
    s->collections += found == FREE;
    return found == FREE || (found == MISSING && listed_are_free(s, name));
}

static bool entry_is_free(struct scene *s, const struct entry *entry)
{
    if (entry->type == DT_DIR && entry->name[0] != '.')
        return collection_is_free(s, entry->name);
    return entry->type != DT_UNKNOWN;
}

static bool collections_are_free(struct scene *s)
{
    const int fd = take(s, AT_FDCWD, s->path, O_DIRECTORY, LENT_ROOT);
    if (fd < 0)
        return false;
    bool free = file_system_is_local(fd);
    const unsigned most = settings->max_collections;
    const struct entry *entry;
    listing_begin(&s->root, fd);
    while (free && (most == 0 || s->collections < most) && (entry = listing_next(&s->root)) != NULL)
        free = entry_is_free(s, entry);
    return leave(fd, LENT_ROOT) && free && s->root.length >= 0;
}

static bool secondaries_are_free(struct scene *s, const char *path)
{
    if (profile_secondary(s->profile, 0) == NULL)
        return true;
    return path_directory(s->path, sizeof s->path, path) &&
           (listing_has_no_directories(s->path) || (may_open(s) && collections_are_free(s)));
}

/* --- all of it --- */

static bool all_is_free(const struct profile *profile, const struct store *store, const char *path,
                        int home)
{
    struct scene *s = scratch_take();
    if (s == NULL)
        return false;
    s->store = store;
    s->profile = profile;
    s->home = home;
    s->asked = s->may_open = false;
    s->files = s->directories = s->collections = 0;
    const bool free = sidecars_are_free(s, path) && secondaries_are_free(s, path);
    end(s);
    scratch_give(s);
    return free;
}

bool beside_is_nothing(const struct profile *profile, const char *path)
{
    return all_is_free(profile, NULL, path, 0);
}

bool beside_is_free(const struct store *store, const char *path, int home)
{
    return all_is_free(store_profile(store), store, path, home);
}
