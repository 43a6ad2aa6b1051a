#include "commands/copy_directory.h"

#include "commands/copy_index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The times of files have a grain, of 4 ms with a kernel that counts 250 ticks a second: a file
 * that was written shortly before it was looked at may be written again under the same time. */
static const long grain = 20000000;

/* Between two looks at files that are not at rest. */
static const long interval = 2000000;

static void sleep_for(long ns)
{
    const struct timespec time = {.tv_nsec = ns};
    nanosleep(&time, NULL);
}

static struct timespec wall_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

static bool is_fresh(const struct timespec *time, const struct timespec *now)
{
    long since = (now->tv_sec - time->tv_sec) * 1000000000 + (now->tv_nsec - time->tv_nsec);
    return since < grain && since > -grain;
}

/* One look at the directory. */
struct pass {
    struct copy_directory *d;
    struct copying *copying;
    struct tree now;
    struct timespec at;
    bool changed; /* an index file since the last one */
    bool fresh;   /* ... or so shortly before it that this cannot be told */
};

static bool copy_entry(struct pass *p, struct tree_entry *e)
{
    struct copy_directory *d = p->d;
    if (S_ISDIR(e->st.st_mode))
        return mkdirat(d->to, e->path, 0700) == 0 || copying_fails_by(p->copying, e->path, errno);
    int from = openat(d->from, e->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (from < 0 && errno == ENOENT) {
        p->changed |= e->index;
        return true;
    }
    if (from < 0)
        return copying_fails_by(p->copying, e->path, errno);
    atomic_fetch_add(&p->copying->total, (uint64_t)e->st.st_size);
    return copy_file(p->copying, from, &e->st, d->to, e->path, true);
}

static bool take_entry(struct pass *p, struct tree_entry *e)
{
    const struct tree_entry *before = tree_find(&p->d->done, e->path);
    bool is_file = S_ISREG(e->st.st_mode);
    e->fresh = is_file && is_fresh(&e->st.st_mtim, &p->at);
    p->fresh |= e->fresh && e->index;
    if (before != NULL && (before->st.st_mode & S_IFMT) == (e->st.st_mode & S_IFMT) &&
        (!is_file || (!before->fresh && tree_same(&before->st, &e->st))))
        return true;
    p->changed |= e->index;
    int result = before == NULL ? 0 : copy_remove(p->d->to, e->path);
    return result < 0 ? copying_fails_by(p->copying, e->path, -result) : copy_entry(p, e);
}

static bool drop_gone(struct pass *p)
{
    for (size_t i = p->d->done.count; i-- > 0;) {
        const struct tree_entry *e = &p->d->done.entries[i];
        if (tree_find(&p->now, e->path) != NULL)
            continue;
        p->changed |= e->index;
        int result = copy_remove(p->d->to, e->path);
        if (result < 0)
            return copying_fails_by(p->copying, e->path, -result);
    }
    return true;
}

/* Copies what has changed since the last look. */
static bool look(struct pass *p)
{
    char buffer[PATH_MAX + 64];
    struct text t = text_in(buffer, sizeof buffer);
    p->at = wall_clock();
    p->changed = p->fresh = false;
    bool good = tree_read(&p->now, p->d->from, p->d->profile, p->d->without, &t) ||
                copying_fails(p->copying, buffer);
    for (size_t i = 0; good && i < p->now.count; i++)
        good = take_entry(p, &p->now.entries[i]);
    good = good && drop_gone(p);
    tree_free(&p->d->done);
    p->d->done = p->now;
    return good;
}

static bool indexes_are_whole(const struct pass *p)
{
    const struct tree *files = &p->d->done;
    for (size_t i = 0; i < files->count; i++) {
        char buffer[PATH_MAX + 128];
        struct text t = text_in(buffer, sizeof buffer);
        const char *path = files->entries[i].path;
        if (!S_ISDIR(files->entries[i].st.st_mode))
            continue;
        text_path(&t, path);
        text_str(&t, "/");
        if (!index_is_whole(p->d->to, path, files, p->at, &t))
            return copying_fails(p->copying, buffer);
    }
    return true;
}

bool copy_directory_rest(struct copy_directory *d, struct copying *c)
{
    struct pass p = {.d = d, .copying = c};
    for (;;) {
        if (atomic_load(&c->cancelled))
            return copying_fails_by(c, ".", ECANCELED);
        if (!look(&p))
            return false;
        bool rests = !p.changed && !p.fresh;
        if (rests && indexes_are_whole(&p))
            return true;
        atomic_store(&c->broken, rests);
        if (!rests)
            copying_fails(c, d->profile->copy == COPY_SQLITE
                                 ? "its index files go on changing"
                                 : "its files go on changing, though it is locked");
        sleep_for(p.fresh ? grain : interval);
    }
}

bool copy_directory_begin(struct copy_directory *d, struct copying *c)
{
    struct pass p = {.d = d, .copying = c};
    return look(&p);
}
