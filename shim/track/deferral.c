#include "track/deferral.h"

#include "base/scratch.h"
#include "helper/lines.h"
#include "helper/log.h"
#include "track/closed.h"
#include "track/process.h"
#include "track/track.h"

#include <stdatomic.h>
#include <string.h>

/* Stores whose wait is put off. SQLite attaches 125 databases at most, besides its main and
 * temporary one (https://www.sqlite.org/limits.html). */
enum { DEFERRED_MOST = 128, DEFERRALS = 8 };
struct deferred {
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
        char *path; /* where its primary is now (scratch.h); NULL: as when it was opened */
        struct last_look last_look;
    } closes[DEFERRED_MOST];
};
_Static_assert(sizeof(struct deferred) <= SCRATCH_SIZE, "it has room");

/* While the thread is in such a function, or in the waits after it; else NULL. Not the thread's own
 * variables, which lie on its stack. */
static __thread struct deferred *deferred __attribute__((tls_model("initial-exec")));

/* A signal handler may come at any point, and may put waits off itself: it finds either none or a
 * list that has one deferral at least, and leaves it as it was. */
static void enter(const void *frame)
{
    if (deferred != NULL) {
        if (deferred->depth == DEFERRALS)
            return;
        deferred->deferrals[deferred->depth] = (struct deferral){frame, deferred->count, false};
        atomic_signal_fence(memory_order_seq_cst);
        deferred->depth++;
        return;
    }
    struct deferred *first = scratch_take();
    if (first == NULL)
        return;
    first->depth = 1;
    first->count = 0;
    first->deferrals[0] = (struct deferral){frame, 0, false};
    atomic_signal_fence(memory_order_seq_cst);
    deferred = first;
}

static void leave(void)
{
    if (deferred->depth > 1) {
        deferred->depth--;
        return;
    }
    struct deferred *last = deferred;
    deferred = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    scratch_give(last);
}

static struct deferral *innermost(void)
{
    return deferred == NULL ? NULL : &deferred->deferrals[deferred->depth - 1];
}

static void drop_innermost(void)
{
    for (unsigned base = innermost()->base; deferred->count > base;) {
        struct deferred_close *d = &deferred->closes[--deferred->count];
        scratch_give(d->path);
        closed_end(d->store, true, deferred->home);
    }
    leave();
}

/* Forgets hooks that were left by longjmp or by cancellation: their frames lie below one that is in
 * use, since the stack grows down. */
static void drop_left_below(const void *frame)
{
    while (deferred != NULL && innermost()->frame < frame)
        drop_innermost();
}

static bool is_deferring(void)
{
    return deferred != NULL && !innermost()->resuming;
}

bool deferral_inside(void)
{
    if (deferred == NULL)
        return false;
    drop_left_below(__builtin_frame_address(0));
    return is_deferring();
}

bool deferral_takes(struct closing *c)
{
    drop_left_below(c);
    if (!c->waits || !is_deferring() || deferred->count >= DEFERRED_MOST)
        return false;
    struct store *store = c->handle.store;
    deferred->home = c->home;
    bool moved = c->placed && strcmp(c->path, store_path(store)) != 0;
    deferred->closes[deferred->count++] =
        (struct deferred_close){store, moved ? c->path : NULL, c->last_look};
    if (moved)
        c->path = NULL;
    log_say_path(LOG_DEBUG, store_path(store),
                 "its wait is put off until the call that closes it has returned");
    return true;
}

void track_defer(const void *frame)
{
    if (process_is_stopped())
        return;
    drop_left_below((const char *)frame + 1);
    enter(frame);
    if (deferred != NULL)
        lines_hold(frame);
}

static void resume(const void *frame)
{
    drop_left_below(frame);
    struct deferral *own = innermost();
    if (own == NULL || own->frame != frame)
        return;
    if (deferred->depth > 1 && !own[-1].resuming) {
        leave(); /* its stores are now those of the hook around it */
        return;
    }
    /* From the end, since a signal handler that runs during a wait may add and remove its own. */
    own->resuming = true;
    while (deferred->count > own->base) {
        const struct deferred_close d = deferred->closes[--deferred->count];
        if (deferred->home == process_home()) /* or a fork child, with its parent's list */
            closed_wait(d.store, d.path != NULL ? d.path : "", &d.last_look, deferred->home);
        scratch_give(d.path);
    }
    leave();
}

void track_resume(const void *frame)
{
    resume(frame);
    lines_release(frame);
}
