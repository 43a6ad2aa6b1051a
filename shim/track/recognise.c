#include "track/recognise.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/path.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"
#include "helper/log.h"
#include "track/handle.h"
#include "track/store.h"

_Static_assert(sizeof(struct recognised) <= SCRATCH_SIZE, "it has room");

static const struct settings *settings;
static profile_set profiles_on;
static bool by_lock_name; /* with a file beside it */

SYS_AT_START void recognise_start(const struct settings *s)
{
    settings = s;
    profiles_on = profile_select(s->stores, s->dirs);
    by_lock_name = profile_by_lock_name(profiles_on);
    if (profile_by_content(profiles_on) || by_lock_name || s->dirs[0] != '\0')
        clock_now(); /* to find the clock takes more stack than the close of a small file may */
}

SYS_AT_START profile_set recognise_profiles(void)
{
    return profiles_on;
}

SYS_AT_START bool recognise_databases(void)
{
    return profile_of_sqlite(profiles_on) != NULL;
}

/* The last file of this thread whose content said nothing. */
static __thread struct identity passed_over __attribute__((tls_model("initial-exec")));

bool recognise_passed_over(struct identity file)
{
    return identity_same(passed_over, file);
}

/* The size is asked first: most files have none that a store has. */
SYS_OWN_FRAME const struct profile *recognise_content(int fd, struct identity file, off_t size)
{
    char start[PROFILE_MAGIC_MOST];
    const struct profile *found = NULL;
    if (profile_size_possible(profiles_on, (uint64_t)size))
        found = profile_of_content(profiles_on, start, descriptor_start(fd, start, sizeof start),
                                   (uint64_t)size);
    if (found == NULL)
        passed_over = file;
    return found;
}

/* Of a file whose name says enough, but for what lies beside it. */
static bool is_beside(struct recognised *in)
{
    return profile_beside(in->profile, in->named.primary, in->other, sizeof in->other) &&
           sys_stat(in->other, &in->st) == 0 && S_ISREG(in->st.st_mode) &&
           in->st.st_size >= in->profile->beside_least;
}

/* A file is that of an SQLite database, whether that is one or is not yet. Of others the ending is
 * a common one, so their database must be known. */
static bool is_sidecar_of(struct recognised *in, struct identity primary)
{
    if (in->profile->engine == ENGINE_SQLITE || in->profile->by_directory)
        return true;
    struct store *store = store_find(primary);
    if (store == NULL)
        return false;
    in->profile = store_profile(store);
    store_release(store);
    const char *ending = in->absolute + strlen(in->named.primary);
    const char *sidecar;
    for (int i = 0; (sidecar = profile_sidecar(in->profile, i)) != NULL; i++)
        if (str_equal(ending, sidecar))
            return true;
    return false;
}

/* Of a sidecar or secondary the primary must be there. But in a directory of SETTLE_DIRS every file
 * is tracked: one that is called like a sidecar of nothing is a primary. */
static SYS_OWN_FRAME bool find_primary(struct recognised *in)
{
    if (in->role == ROLE_PRIMARY)
        return true;
    if (sys_stat(in->named.primary, &in->st) == 0 && S_ISREG(in->st.st_mode)) {
        in->primary = identity_of(&in->st);
        return in->role != ROLE_SIDECAR || is_sidecar_of(in, in->primary);
    }
    in->role = ROLE_PRIMARY;
    return in->profile->by_directory &&
           str_copy(in->named.primary, sizeof in->named.primary, in->path);
}

/* A file that can be read and written may become a store. */
static bool is_candidate(int fd, const struct stat *st)
{
    return st->st_nlink > 0 && (sys_fcntl(fd, F_GETFL, 0) & O_ACCMODE) == O_RDWR;
}

/* What the engine has open is a store, also where the descriptor cannot be read. */
static const struct profile *profile_in_use(struct identity file)
{
    struct store *store = store_find(file);
    if (store == NULL)
        return NULL;
    const struct profile *found = handle_count_engine(store) > 0 ? store_profile(store) : NULL;
    store_release(store);
    return found;
}

/* The role of a regular file, by more than its name. */
static SYS_OWN_FRAME enum role role_of(int fd, const struct stat *st, struct recognised *in)
{
    const struct profile *found = in->profile;
    if (in->named.role == ROLE_CANDIDATE) {
        if (st->st_size == 0)
            return is_candidate(fd, st) ? ROLE_CANDIDATE : ROLE_NONE;
        found = recognise_content(fd, in->primary, st->st_size);
        found = found != NULL ? found : profile_in_use(in->primary);
    } else if (in->named.role == ROLE_PRIMARY && found->beside[0] != '\0' && !is_beside(in)) {
        /* The lock file is there before what it locks. */
        return is_candidate(fd, st) ? ROLE_CANDIDATE : ROLE_NONE;
    }
    if (found == NULL)
        return ROLE_NONE;
    in->profile = found;
    return in->named.role == ROLE_CANDIDATE ? ROLE_PRIMARY : in->named.role;
}

static void set_path(int fd, const char *given, struct recognised *in)
{
    descriptor_path(fd, in->path, sizeof in->path);
    if (in->path[0] != '/')
        str_copy(in->path, sizeof in->path, given);
    /* Without /proc a relative name is no place; its file name still says what it is. */
    if (in->path[0] != '/')
        path_join(in->other, sizeof in->other, "/", in->path);
    in->absolute = in->path[0] == '/' ? in->path : in->other;
}

/* A path that is none tells nothing: it is for the close look. */
static bool path_possible(const char *path)
{
    const size_t directory = (size_t)(path_name(path) - path);
    return path[0] != '/' || profile_may_match(profiles_on, path) ||
           profile_directory_matches(settings->dirs, path, directory - (directory > 1));
}

SYS_OWN_FRAME bool recognise_name_possible(int fd)
{
    char *path = scratch_take();
    if (path == NULL)
        return true; /* the close look says so */
    descriptor_path(fd, path, PATH_MAX);
    const bool possible = path_possible(path);
    scratch_give(path);
    return possible;
}

/* One that is somewhere else by now, or not to be found: the root directory is another, or /proc is
 * out of reach. */
static SYS_OWN_FRAME void recognise_without_path(int fd, const struct stat *st,
                                                 struct recognised *in)
{
    if (!S_ISREG(st->st_mode) || st->st_nlink == 0)
        return;
    in->profile = recognise_content(fd, in->primary, st->st_size);
    in->named.primary[0] = '\0';
    in->role = in->profile != NULL ? ROLE_PRIMARY : ROLE_NONE;
}

void recognise(int fd, const struct stat *st, const char *given, struct recognised *in)
{
    struct named *named = &in->named;
    set_path(fd, given, in);
    profile_name(profiles_on, settings->dirs, in->absolute, named);
    in->role = ROLE_NONE;
    in->profile = named->profile;
    in->primary = identity_of(st);
    if (in->path[0] == '\0')
        recognise_without_path(fd, st, in);
    if (named->role == ROLE_NONE || in->path[0] == '\0')
        return;
    if (!S_ISREG(st->st_mode)) {
        if (named->role == ROLE_PRIMARY && in->profile->primary[0] != '\0' &&
            in->profile->beside[0] == '\0')
            log_say_path(LOG_WARN, in->path,
                         "is not a regular file, so it is not tracked as a store");
        return;
    }
    if (st->st_nlink == 0) /* nobody else can find it: O_TMPFILE, or removed */
        return;
    if (in->path[0] != '/') {
        if (named->role != ROLE_PRIMARY || in->profile->beside[0] != '\0')
            return;
        named->primary[0] = '\0';
    }
    in->role = role_of(fd, st, in);
    if (in->role != ROLE_NONE && in->role != ROLE_CANDIDATE && !find_primary(in))
        in->role = ROLE_NONE;
}

/* By a name that its file has to have beside it. */
static bool is_by_its_name(struct recognised *in)
{
    in->profile = profile_of_lock_name(profiles_on, in->absolute);
    return in->profile != NULL &&
           str_copy(in->named.primary, sizeof in->named.primary, in->absolute) && is_beside(in);
}

bool recognise_may_again(bool lacks_beside, off_t size)
{
    return lacks_beside || profile_size_possible(profiles_on, (uint64_t)size);
}

void recognise_again(int fd, off_t size, bool lacks_beside, struct recognised *in)
{
    in->role = ROLE_NONE;
    in->profile = recognise_content(fd, in->primary, size);
    if (in->profile == NULL && !lacks_beside)
        return;
    set_path(fd, "", in);
    if (in->profile == NULL && !is_by_its_name(in))
        return;
    str_copy(in->named.primary, sizeof in->named.primary, in->path);
    in->role = ROLE_PRIMARY;
}

bool recognise_database(const char *path, struct recognised *in)
{
    profile_name(profiles_on, settings->dirs, path, &in->named);
    in->profile = in->named.profile;
    return (in->named.role == ROLE_PRIMARY || in->named.role == ROLE_CANDIDATE) &&
           (in->profile->engine == ENGINE_SQLITE || in->profile->by_directory);
}
