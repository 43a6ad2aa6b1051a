#include "supervise/attendant.h"

#include "base/clock.h"
#include "base/sys.h"
#include "helper/subject.h"
#include "supervise/event.h"
#include "supervise/hold.h"
#include "supervise/peek.h"
#include "supervise/range.h"
#include "supervise/slots.h"
#include "track/closed.h"
#include "track/exit.h"
#include "track/history.h"
#include "track/in_place.h"
#include "track/process.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAIRS = 512, STACK = 512 * 1024 };

static const uint64_t often = 1000000; /* ns: how soon another pair is made, if this one waits */
static const uint64_t seldom = 10000000;

/* From the beginning of one look at all that the program has open to that of the next, in times of
 * `often`, or of what the look takes where that is more. */
enum { LOOK_PAUSE = 20 };

struct pair {
    struct event begin, done; /* of the wait */
    const struct departure *departure;
    struct last_look last_look;
    int thread;         /* of the program */
    _Atomic int waiter; /* our thread that waits */
    struct departure departures[DEPARTURES];
};

static int calls;
static void (*on_first)(int thread);
static void (*on_end)(void);
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int first_slot;
static _Atomic int pairs, idle;

static bool make_pair(void);

/* --- the one that waits --- */

static void *wait_for_departures(void *argument)
{
    struct pair *p = argument;
    sys_sigset mask = ~0ull & ~(1ull << (SIGTERM - 1));
    atomic_store(&p->waiter, sys_gettid());
    sys_sigmask(SIG_SETMASK, &mask, NULL);
    for (;;) {
        while (!event_is_set(&p->begin))
            event_wait(&p->begin, UINT64_MAX / 4);
        event_clear(&p->begin);
        const struct departure *d = p->departure;
        subject_set_thread(p->thread);
        closed_wait(d->handle.store, d->handle.role == ROLE_PRIMARY ? d->path : "", &p->last_look,
                    process_home());
        event_set(&p->done);
    }
    return NULL;
}

static void end_wait(struct pair *p)
{
    sys_call(SYS_tgkill, sys_getpid(), atomic_load(&p->waiter), SIGTERM, 0, 0, 0);
}

/* --- the one that holds --- */

/* A thread of the program may open a store again meanwhile. One of those that attend looks for all
 * of them, and where there is much to look at not all the time. */
static void look_again(int thread)
{
    static _Atomic uint64_t next;
    const uint64_t began = clock_now();
    uint64_t due = atomic_load(&next);
    if (began < due || !atomic_compare_exchange_strong(&next, &due, began + LOOK_PAUSE * often))
        return;
    int directory = peek_directory(thread);
    if (directory < 0)
        return;
    mirror_update(thread, directory);
    close(directory);
    const uint64_t took = clock_now() - began;
    if (took > often)
        atomic_store(&next, began + LOOK_PAUSE * took);
}

static void attend_wait(struct pair *p, struct held *held)
{
    bool interrupted = false;
    event_wait(&p->done, often);
    if (!event_is_set(&p->done) && atomic_load(&idle) == 0)
        make_pair();
    while (!event_is_set(&p->done)) {
        if (held->state != HOLD_NOT && !interrupted && hold_look(held) == HOLD_INTERRUPTED) {
            interrupted = true;
            end_wait(p);
        }
        look_again(mirror_process());
        event_wait(&p->done, seldom);
    }
}

static void wait_for(struct pair *p, const struct departure *d, struct held *held)
{
    p->departure = d;
    p->last_look = (struct last_look){.look = LOOK_NONE};
    if (d->file >= 0) {
        p->last_look = last_look_at(d->file, true);
        close(d->file); /* before anybody asks who has it open */
    }
    p->last_look.alone = handle_had_alone(&d->handle);
    event_clear(&p->done);
    event_set(&p->begin);
    attend_wait(p, held);
}

/* One that does not wait has nobody who sees when the kernel closes it. */
static void watch_go(int directory, const struct departure *departures, int count)
{
    const struct timespec moment = {0, 50000};
    for (int i = 0; i < count; i++)
        for (int n = 0; n < 20 && mirror_still_open(directory, &departures[i]); n++)
            nanosleep(&moment, NULL);
    mirror_gone(departures, count);
}

/* Without a wait: it has nothing to wait for, or could not be held. */
static void give_up(const struct departure *d, bool is_free)
{
    if (d->file >= 0)
        close(d->file);
    if (is_free)
        in_place_settled(d->handle.store);
    closed_end(d->handle.store, true, process_home());
}

/* Of one that is held, asked once more: the program's own locks, which were in the way before the
 * close, are gone by now. A bbolt that only reads has a flock up to here. To have that found out by
 * the one that waits takes a hundred microseconds. */
static bool is_free(const struct departure *d, const struct held *held)
{
    return d->free || (held->state != HOLD_NOT && mirror_is_free(d));
}

static void finish(struct pair *p, int count, struct held *held)
{
    for (int i = 0; i < count; i++) {
        struct departure *d = &p->departures[i];
        history_closed(d->fd, &d->handle, d->path);
        const bool settled = d->waits && is_free(d, held);
        if (!d->waits)
            store_release(d->handle.store);
        else if (settled || held->state == HOLD_NOT)
            give_up(d, settled);
        else
            wait_for(p, d, held);
    }
}

static bool any_waits(const struct pair *p, int count)
{
    for (int i = 0; i < count; i++)
        if (p->departures[i].waits && !p->departures[i].free)
            return true;
    return false;
}

static void attend_close(struct pair *p, int slot, const struct range *range)
{
    struct held held = {.state = HOLD_NOT, .status = -1};
    int directory = peek_directory(p->thread);
    int count = 0;
    if (directory >= 0 && slots_waits(slot))
        count = mirror_take(p->thread, directory, range->first, range->last, p->departures);
    if (any_waits(p, count)) {
        held = hold_begin(slot, p->departures, count);
        mirror_gone(p->departures, count);
    } else {
        slots_continue(slot);
        watch_go(directory, p->departures, count);
    }
    finish(p, count, &held);
    hold_end(&held);
    if (directory >= 0)
        close(directory);
}

static void attend_exit(struct pair *p, int slot)
{
    int directory = peek_directory(p->thread);
    if (directory >= 0) {
        mirror_update(p->thread, directory);
        close(directory);
    }
    if (atomic_load(&idle) == 0)
        make_pair();
    exit_wait_and_tell(mirror_other_threads);
    slots_continue(slot);
}

static void begin_first(void)
{
    on_first((int)slots_get(first_slot)->pid);
}

static void attend(struct pair *p, int slot)
{
    struct range range;
    p->thread = (int)slots_get(slot)->pid;
    subject_set_thread(p->thread);
    pthread_once(&once, begin_first);
    if (range_is_exit(slots_get(slot)))
        attend_exit(p, slot);
    else if (range_of(slots_get(slot), &range))
        attend_close(p, slot, &range);
    else
        slots_continue(slot);
}

static bool make_thread(void *function(void *), struct pair *p)
{
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    bool made = pthread_create(&thread, &attributes, function, p) == 0;
    pthread_attr_destroy(&attributes);
    return made;
}

static void end_pair(void)
{
    atomic_fetch_sub(&idle, 1);
    if (atomic_fetch_sub(&pairs, 1) == 1)
        on_end();
}

static void *receive(void *argument)
{
    struct pair *p = argument;
    int slot;
    if (!make_thread(wait_for_departures, p)) {
        free(p);
        end_pair();
        return NULL;
    }
    for (;;) {
        ssize_t got = read(calls, &slot, sizeof slot);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != sizeof slot)
            break;
        atomic_fetch_sub(&idle, 1);
        if (atomic_load(&pairs) == 1)
            first_slot = slot;
        attend(p, slot);
        atomic_fetch_add(&idle, 1);
    }
    end_pair();
    return NULL;
}

/* --- making them --- */

static bool make_pair(void)
{
    if (atomic_fetch_add(&pairs, 1) >= PAIRS) {
        atomic_fetch_sub(&pairs, 1);
        return false;
    }
    atomic_fetch_add(&idle, 1);
    struct pair *p = calloc(1, sizeof *p);
    if (p != NULL && make_thread(receive, p))
        return true;
    free(p);
    end_pair();
    return false;
}

bool attendant_start(int pipe, void first(int thread), void ended(void))
{
    calls = pipe;
    on_first = first;
    on_end = ended;
    return make_pair();
}
