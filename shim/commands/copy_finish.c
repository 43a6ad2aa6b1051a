#include "commands/copy_finish.h"

#include "base/path.h"
#include "commands/copy_attributes.h"
#include "commands/copy_check.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* --- the check --- */

/* Of others only their engines could say. */
static bool check(const struct copy_job *job, struct copying *c)
{
    if (job->profile->copy != COPY_SQLITE)
        return true;
    char path[PATH_MAX];
    char buffer[256];
    struct text why = text_in(buffer, sizeof buffer);
    bool fits = job->directory == NULL
                    ? str_copy(path, sizeof path, job->path)
                    : path_join(path, sizeof path, job->path, copy_job_main(job));
    if (!fits)
        return copying_fails_by(c, job->path, ENAMETOOLONG);
    return copy_check(path, &c->cancelled, &why) || copying_fails(c, buffer);
}

/* --- attributes --- */

static bool set_attributes(struct copying *c, int directory, const char *name,
                           const struct stat *st)
{
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int result = fd < 0 ? -errno : copy_attributes(fd, st);
    if (fd >= 0)
        close(fd);
    return result == 0 || copying_fails_by(c, name, -result);
}

/* Of the files that were copied under the lock: SQLite has written them for the check. */
static bool set_those_of_files(const struct copy_job *job, struct copying *c)
{
    char name[PATH_MAX];
    bool good = true;
    for (int i = 0; good && copy_job_ending(job, i) != NULL; i++)
        if (copy_job_has(job, i))
            good = path_beside(name, sizeof name, copy_job_name(job), copy_job_ending(job, i))
                       ? set_attributes(c, job->files.to, name, &job->beside[i])
                       : copying_fails_by(c, job->path, ENAMETOOLONG);
    return good;
}

/* As the directory is now; one that is gone has none. */
static void set_named_attributes(const struct copy_directory *files, const char *name,
                                 struct stat *st)
{
    int from = openat(files->from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int to = openat(files->to, name, O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
    if (from >= 0 && to >= 0)
        copy_named_attributes(from, to, st);
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
}

/* At last, since what is made in them changes their times, and what they hand down would be had by
 * it. A directory that is to be renamed must be writable until then. */
static bool set_those_of_directories(struct copy_job *job, bool is_renamed, struct copying *c)
{
    struct tree *files = &job->files.done;
    for (size_t i = files->count; i-- > 0;) {
        struct tree_entry *e = &files->entries[i];
        if (!S_ISDIR(e->st.st_mode))
            continue;
        set_named_attributes(&job->files, e->path, &e->st);
        if (!set_attributes(c, job->files.to, e->path, &e->st))
            return false;
    }
    set_named_attributes(&job->files, ".", &job->top);
    if (!is_renamed)
        return set_attributes(c, job->files.to, ".", &job->top);
    return fchmod(job->files.to, 0700) == 0 || copying_fails_by(c, job->path, errno);
}

/* --- the name --- */

/* Takes one of a file and what lies beside it from one directory to another; nothing if there is
 * none. */
static int move_one(const struct copy_place *place, const struct copy_job *job, int i)
{
    char name[PATH_MAX];
    if (!copy_job_has(job, i))
        return 0;
    if (!path_beside(name, sizeof name, place->name, copy_job_ending(job, i)))
        return -ENAMETOOLONG;
    return copy_rename(place->temporary, name, place->parent, name);
}

static void take_back(const struct copy_place *place, const struct copy_job *job, int i)
{
    char name[PATH_MAX];
    if (copy_job_has(job, i) &&
        path_beside(name, sizeof name, place->name, copy_job_ending(job, i)))
        unlinkat(place->parent, name, 0);
}

/* What lies beside a file goes before it, so that it is not there without; and back where one
 * cannot. */
static int move_all(const struct copy_place *place, const struct copy_job *first)
{
    int result = 0;
    int last = 0;
    while (!place->several && first->directory == NULL && copy_job_ending(first, last + 1) != NULL)
        last++;
    for (int i = last; result == 0 && i >= 0; i--) {
        result = move_one(place, first, i);
        for (int moved = last; result < 0 && moved > i; moved--)
            take_back(place, first, moved);
    }
    return result;
}

static int write_all(const struct copy_place *place, const struct copy_job *first,
                     const struct copying *c)
{
    char name[PATH_MAX];
    int result = copy_sync(place->temporary, place->name, c);
    for (int i = 1; result == 0 && !place->several && first->directory == NULL &&
                    copy_job_ending(first, i) != NULL;
         i++)
        if (copy_job_has(first, i))
            result = path_beside(name, sizeof name, place->name, copy_job_ending(first, i))
                         ? copy_sync(place->temporary, name, c)
                         : -ENAMETOOLONG;
    /* EINVAL: a file system that has nothing to write it to */
    if (result == 0 && (fsync(place->temporary) != 0 || fsync(place->parent) != 0))
        result = errno == EINVAL ? 0 : -errno;
    return result;
}

/* It was at the beginning. */
static bool is_clear(const struct copy_place *place, const struct copy_job *first,
                     struct copying *c)
{
    char reason[sizeof c->reason];
    struct text why = text_in(reason, sizeof reason);
    return place->several || first->directory != NULL ||
           copy_place_is_clear(place, first->profile, &why) || copying_fails(c, reason);
}

static bool give_name(const struct copy_place *place, const struct copy_job *first,
                      struct copying *c)
{
    const mode_t mask = umask(0);
    umask(mask);
    int result = write_all(place, first, c);
    if (result == 0 && !is_clear(place, first, c))
        return false;
    if (result == 0 && (atomic_load(&c->cancelled) || !copying_decides(c, TURN_NAMES)))
        result = -ECANCELED;
    if (result == 0)
        result = move_all(place, first);
    if (result < 0)
        return copying_fails_by(c, place->path, -result);
    if (place->several)
        fchmodat(place->parent, place->name, 0777 & ~mask, 0);
    else if (first->directory != NULL)
        set_attributes(c, place->parent, place->name, &first->top);
    unlinkat(place->parent, place->temporary_name, AT_REMOVEDIR);
    fsync(place->parent);
    return true;
}

/* By names from the directory that is being filled on, so that they are short. */
bool copy_finish(struct copy_job *jobs, unsigned count, const struct copy_place *place,
                 struct copying *c)
{
    if (fchdir(place->temporary) != 0)
        return copying_fails_by(c, place->path, errno);
    for (unsigned i = 0; i < count; i++) {
        struct copy_job *job = &jobs[i];
        atomic_store(&c->job, i);
        if (!check(job, c) || !set_those_of_files(job, c) ||
            (job->directory != NULL && !set_those_of_directories(job, !place->several, c)))
            return false;
    }
    atomic_store(&c->job, 0);
    return give_name(place, &jobs[0], c);
}
