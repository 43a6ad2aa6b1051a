#include "track/closed.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "config/rules.h"
#include "helper/lines.h"
#include "helper/record.h"
#include "track/block.h"
#include "track/books.h"
#include "track/crossing.h"
#include "track/deferral.h"
#include "track/history.h"
#include "track/in_place.h"
#include "track/keep.h"
#include "track/later.h"
#include "track/locks.h"
#include "track/opened.h"
#include "track/possible.h"
#include "track/process.h"
#include "track/track.h"
#include "track/waiting.h"

static struct closed_books *const own = &BOOKS.closes;

/* Never below 0. */
static void take_one(_Atomic uint32_t *number)
{
    uint32_t was = atomic_load(number);
    while (was > 0 && !atomic_compare_exchange_weak(number, &was, was - 1))
        ;
}

static void set_out(struct closing *c)
{
    c->home = process_of_thread();
    if (c->home == 0)
        return;
    c->began = clock_now();
    c->waited_before = waiting_begin(c->began + BLOCK_PATIENCE);
    c->on_its_way = 1 + crossing_close_begins(handle_inode(c->fd));
}

/* A fork child knows nothing of the first half. */
static void arrive(struct closing *c)
{
    if (!c->on_its_way)
        return;
    waiting_end(c->waited_before);
    if (c->home != process_home())
        return;
    if (c->without_locks)
        crossing_let_locks(c->handle.identity.ino);
    crossing_close_ends(c->on_its_way - 1u);
    c->on_its_way = 0;
}

void closed_under_way(struct store *store, uint64_t now)
{
    if (atomic_fetch_add(&store->closing, 1) == 0)
        atomic_store(&store->closing_since, now);
}

void closed_arrived(struct store *store)
{
    take_one(&store->closing);
}

bool closed_is_under_way(struct store *store, uint64_t patience)
{
    if (atomic_load(&store->closing) == 0)
        return false;
    if (clock_now() - atomic_load(&store->closing_since) <= patience)
        return true;
    atomic_store(&store->closing, 0);
    return false;
}

static enum trigger trigger_of(struct store *store)
{
    return (enum trigger)rules_get(atomic_load(&store->rule))->trigger;
}

/* Whether whoever uses the store meanwhile waits for the close. */
static bool is_connections(const struct closing *c)
{
    return c->waits || (c->handle.role == ROLE_PRIMARY && c->handle.kind == KIND_ENGINE);
}

/* Whether a close waits. last: its handle was the last that counts. */
static bool must_wait(const struct handle *h, bool last)
{
    const enum trigger trigger = trigger_of(h->store);
    /* A close of the last connection that left a zombie waits for this one. */
    last = last && atomic_load(&h->store->awaited) == 0;
    if (last && !handle_had_alone(h))
        store_mark(h->store, STORE_UNSETTLED, 0);
    return (last && trigger != TRIGGER_USE) ||
           (h->role == ROLE_PRIMARY && trigger == TRIGGER_EVERY);
}

static void decide(struct closing *c, bool last)
{
    c->last_look.alone = handle_had_alone(&c->handle);
    c->waits = must_wait(&c->handle, last);
    if (is_connections(c))
        closed_under_way(c->handle.store, c->began);
}

bool closed_elsewhere(const struct handle *handle, bool last, uint64_t now)
{
    if (!must_wait(handle, last))
        return false;
    closed_under_way(handle->store, now);
    atomic_fetch_add(&own->unfinished, 1);
    return true;
}

/* What fstat tells of a descriptor that is known. */
struct standing {
    bool same;   /* it is still what was entered */
    bool linked; /* it has a name */
    bool is_candidate;
    off_t size;
};

/* In memory of its own: the stack is the program's. */
static SYS_OWN_FRAME struct standing standing_of(int fd, struct identity known)
{
    struct standing now = {.same = false};
    struct stat *st = scratch_take();
    if (st == NULL)
        return (struct standing){.same = true}; /* who has no memory loses the wait, no more */
    if (sys_fstat(fd, st) == 0 && identity_same(identity_of(st), known))
        now = (struct standing){.same = true, .linked = st->st_nlink > 0, .size = st->st_size};
    scratch_give(st);
    return now;
}

static SYS_OWN_FRAME void look_last(struct closing *c, bool exists)
{
    const bool alone = c->last_look.alone;
    c->last_look = last_look_at(c->fd, exists);
    c->last_look.alone = alone;
}

/* Whether the entry is to be taken out. */
static SYS_OWN_FRAME bool is_to_be_taken(int fd, struct closing *c, struct standing *now)
{
    const struct handle known = handle_get(fd);
    if (known.role == ROLE_PUT_OFF) {
        c->given_up = keep_give_up(fd);
        return false;
    }
    *now = standing_of(fd, known.identity);
    now->is_candidate = known.role == ROLE_CANDIDATE;
    if (!now->same)
        opened_miss(fd); /* the number is used again: its close went by unseen */
    return now->same;
}

static SYS_OWN_FRAME void take(int fd, bool linked, struct closing *c)
{
    bool last;
    atomic_fetch_add(&own->unfinished, 1);
    c->handle = opened_take(fd, &last);
    if (c->handle.role == ROLE_NONE)
        atomic_fetch_sub(&own->unfinished, 1); /* another thread was quicker */
    if (c->handle.store != NULL)
        decide(c, last);
    bool has_place = c->waits && c->handle.role == ROLE_PRIMARY && linked;
    if (c->waits && c->handle.role == ROLE_PRIMARY)
        look_last(c, linked);
    c->path = has_place || record_wanted() ? scratch_take() : NULL;
    if (c->path != NULL)
        descriptor_path(fd, c->path, PATH_MAX); /* it may have been renamed meanwhile */
    c->placed = has_place && c->path != NULL;
    c->without_locks = is_connections(c) && handle_count_engine(c->handle.store) > 0;
    if (c->without_locks)
        crossing_hold_locks(c->handle.identity.ino);
}

/* In a fork child that a signal handler made meanwhile the tables are nobody's. */
static void begin_closing(int fd, int last_closed, bool putting_off, struct closing *c)
{
    struct standing now;
    if (c->home != process_home() || !is_to_be_taken(fd, c, &now))
        return;
    if (now.is_candidate && now.linked)
        opened_settle_candidate(fd, now.size);
    take(fd, now.linked, c);
    if (putting_off) {
        c->kept = keep_wants(fd, &c->handle);
        if (c->handle.role == ROLE_SIDECAR && now.linked)
            in_place_leaves(fd, &c->handle);
        c->free = !c->kept && c->placed && in_place_is_free(fd, &c->handle, c->path, &c->last_look);
    } else {
        keep_cannot(fd, last_closed, &c->handle);
    }
}

/* Of one that is no handle: a reader, whose close is only announced. */
static SYS_OWN_FRAME bool is_handle_by_now(int fd, struct closing *c)
{
    c->of_reader = handle_or_reader(fd) && track_closing_reader(fd);
    return !c->of_reader && handle_possible(fd);
}

static void first_half(int fd, int last_closed, bool putting_off, struct closing *c)
{
    *c = (struct closing){
        .handle = {.role = ROLE_NONE}, .last_look = {.look = LOOK_NONE}, .fd = fd, .home = 0};
    if (track_is_on() && handle_possible(fd))
        later_look_at_all(); /* what other numbers are decides, too, whether this is the last */
    if (!track_is_on() || (!handle_possible(fd) && !is_handle_by_now(fd, c)))
        return;
    set_out(c);
    if (!c->on_its_way)
        return;
    sys_sigset old = process_hold_signals();
    begin_closing(fd, last_closed, putting_off, c);
    process_let_signals(old);
    if (c->kept)
        arrive(c);
}

bool track_closing(int fd, struct closing *c)
{
    first_half(fd, fd, true, c);
    return c->kept;
}

void track_closing_by_force(int fd, int last, struct closing *c)
{
    first_half(fd, last, false, c);
}

/* Whether the second half of a close has something to finish. A signal handler between the two may
 * have forked: the child comes back here, too, and its tables know nothing of the first half. */
static bool is_begun(const struct closing *c)
{
    return c->handle.role != ROLE_NONE && c->home == process_home();
}

int track_put_off(struct closing *c)
{
    return keep_put_off(c->fd, &c->handle, c->home);
}

void track_not_closed(int fd, struct closing *c)
{
    if (c->of_reader)
        track_reader_stays(fd);
    arrive(c);
    sys_sigset old = process_hold_signals();
    if (c->given_up != NULL && c->home == process_home()) {
        keep_give_back(c->given_up);
    } else if (is_begun(c)) {
        if (c->handle.store != NULL && is_connections(c))
            closed_arrived(c->handle.store);
        opened_enter(fd, c->handle);
        atomic_fetch_sub(&own->unfinished, 1);
    }
    scratch_give(c->path);
    process_let_signals(old);
}

void closed_end(struct store *store, bool connections, int home)
{
    sys_sigset old = process_hold_signals();
    if (process_home() == home) {
        if (store != NULL && connections)
            closed_arrived(store);
        if (store != NULL)
            store_release(store);
        atomic_fetch_sub(&own->unfinished, 1);
    }
    process_let_signals(old);
}

void closed_wait(struct store *store, const char *path, const struct last_look *last_look, int home)
{
    const uint64_t now = clock_now();
    const struct block_cause cause = {.began = now, .now = now, .last_look = *last_look};
    block_until_settled(store, path[0] != '\0' ? path : store_path(store), &cause, home);
    closed_end(store, true, home);
}

/* The descriptor has gone, and SQLite still has the mutex under which it closes. */
static void gone(struct closing *c)
{
    if (c->home != process_home())
        return;
    if (c->given_up != NULL)
        keep_given_up(c->given_up);
    if (c->kept)
        return;
    if (c->handle.store != NULL)
        locks_dropped(c->handle.store, c->handle.identity);
    if (handle_of_its_engine(&c->handle))
        keep_engine_gone(c->handle.identity);
}

static void finish_closing(struct closing *c)
{
    struct store *store = c->handle.store;
    history_closed(c->fd, &c->handle, c->path == NULL ? "" : c->path);
    if (c->free && in_place_is_all(store, c->path, &c->last_look, c->home)) {
        in_place_settled(store);
        closed_end(store, true, c->home);
        return;
    }
    if (deferral_takes(c))
        return;
    if (c->waits)
        closed_wait(store, c->placed ? c->path : "", &c->last_look, c->home);
    else
        closed_end(store, is_connections(c), c->home);
}

void track_closed(struct closing *c)
{
    if (c->of_reader)
        track_closed_reader(c->fd);
    gone(c);
    arrive(c);
    if (is_begun(c)) {
        lines_hold(c);
        finish_closing(c);
        lines_release(c);
    }
    scratch_give(c->path);
}

void track_recheck(void)
{
    if (!track_is_on() || !process_thread_at_home())
        return;
    opened_miss_all();
}

SYS_AT_START uint32_t closed_unfinished(void)
{
    return atomic_load(&own->unfinished);
}
