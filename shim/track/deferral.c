#include "track/deferral.h"

#include "base/sys.h"
#include "helper/log.h"
#include "track/closed.h"
#include "track/process.h"
#include "track/track.h"

#include <string.h>

/* Stores whose wait is put off. SQLite attaches 125 databases at most, besides its main and
 * temporary one (https://www.sqlite.org/limits.html). */
enum { DEFERRED_MOST = 128, DEFERRALS = 8 };
static __thread struct {
    unsigned depth;
    unsigned count;
    int home; /* the process whose stores these are */
    struct deferral {
        const void *frame; /* of the hook */
        unsigned base;     /* its stores begin here */
        bool resuming;     /* its call has returned, and its waits run */
    } deferrals[DEFERRALS];
    struct deferred_close {
        struct store *store;
        char *path; /* where its primary is now; NULL: where it was when it was opened */
        struct last_look last_look;
    } closes[DEFERRED_MOST];
} deferred __attribute__((tls_model("initial-exec")));

static struct deferral *innermost(void)
{
    return deferred.depth == 0 ? NULL : &deferred.deferrals[deferred.depth - 1];
}

/* In pages of its own, since it is kept for the files only that have been renamed. */
static char *copy_of(const char *path)
{
    char *copy = sys_mmap(PATH_MAX);
    if (copy != NULL)
        str_copy(copy, PATH_MAX, path);
    return copy;
}

static void drop_copy(char *copy)
{
    if (copy != NULL)
        sys_munmap(copy, PATH_MAX);
}

static void drop_innermost(void)
{
    for (unsigned base = innermost()->base; deferred.count > base;) {
        struct deferred_close *d = &deferred.closes[--deferred.count];
        drop_copy(d->path);
        closed_end(d->store, true, deferred.home);
    }
    deferred.depth--;
}

/* Forgets hooks that were left by longjmp or by cancellation: their frames lie below one that is in
 * use, since the stack grows down. */
static void drop_left_below(const void *frame)
{
    while (deferred.depth > 0 && innermost()->frame < frame)
        drop_innermost();
}

static bool is_deferring(void)
{
    return deferred.depth > 0 && !innermost()->resuming;
}

bool deferral_inside(void)
{
    drop_left_below(__builtin_frame_address(0));
    return is_deferring();
}

bool deferral_takes(const struct closing *c)
{
    drop_left_below(c);
    if (!c->waits || !is_deferring() || deferred.count >= DEFERRED_MOST)
        return false;
    struct store *store = c->handle.store;
    deferred.home = c->home;
    bool moved = c->placed && strcmp(c->path, atomic_load(&store->path)) != 0;
    deferred.closes[deferred.count++] =
        (struct deferred_close){store, moved ? copy_of(c->path) : NULL, c->last_look};
    log_say_path(LOG_DEBUG, atomic_load(&store->path),
                 "its wait is put off until the call that closes it has returned");
    return true;
}

void track_defer(const void *frame)
{
    drop_left_below((const char *)frame + 1);
    if (deferred.depth < DEFERRALS)
        deferred.deferrals[deferred.depth++] = (struct deferral){frame, deferred.count, false};
}

void track_resume(const void *frame)
{
    drop_left_below(frame);
    struct deferral *own = innermost();
    if (own == NULL || own->frame != frame)
        return;
    if (deferred.depth > 1 && !own[-1].resuming) {
        deferred.depth--; /* its stores are now those of the hook around it */
        return;
    }
    /* From the end, since a signal handler that runs during a wait may add and remove its own. */
    own->resuming = true;
    while (deferred.count > own->base) {
        const struct deferred_close d = deferred.closes[--deferred.count];
        if (deferred.home == process_home()) /* or a fork child, with its parent's list */
            closed_wait(d.store, d.path != NULL ? d.path : "", &d.last_look, deferred.home);
        drop_copy(d.path);
    }
    deferred.depth--;
}
