#include "commands/copy.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/sys.h"
#include "commands/copier.h"
#include "commands/copy_lock.h"
#include "commands/copy_plan.h"
#include "commands/copy_source.h"
#include "commands/interrupt.h"
#include "commands/progress.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const uint64_t drawing_interval = 100000000;

/* All that is under way. */
struct copy {
    struct target *targets;
    unsigned count;
    const struct copy_request *request;
    struct copy_place place;
    struct copy_lock lock;
    struct copier copier;
    sigset_t before; /* the mask that it began with */
    sigset_t mask;   /* to wait with */
    bool shown;
    uint64_t drawn;
};

static bool begin(struct copy *c)
{
    char reason[PATH_MAX + 256];
    struct text why = text_in(reason, sizeof reason);
    bool good = copy_place_make(&c->place, &why);
    if (good && c->place.several && mkdirat(c->place.temporary, c->place.name, 0700) != 0) {
        text_str(&why, "no directory can be made beside it");
        good = false;
    }
    if (good && !copier_start(&c->copier)) {
        text_str(&why, "no process can be started");
        good = false;
    }
    if (!good)
        copy_plan_refuse_all(c->targets, c->count, reason);
    return good;
}

/* --- waiting --- */

/* First the lock: others wait for that. */
static void end(struct copy *c)
{
    copy_lock_end(&c->lock);
    copier_end(&c->copier);
    copy_place_remove(&c->place);
    progress_erase();
}

/* Waits until the copier answers, or a time comes; true if it has answered. A signal ends it all.
 */
static bool wait_until(struct copy *c, int answers, uint64_t time)
{
    struct pollfd entry = {.fd = answers, .events = POLLIN};
    uint64_t now = clock_now();
    struct timespec left = sys_timespec(time > now ? time - now : 0);
    bool ready = ppoll(&entry, 1, &left, &c->mask) > 0;
    if (interrupt_seen() != 0 && copying_decides(c->copier.shared, TURN_ENDS)) {
        end(c);
        interrupt_end(&c->before);
    }
    return ready;
}

/* The line on a terminal, from time to time. */
static bool is_time_to_draw(struct copy *c)
{
    uint64_t now = clock_now();
    if (!c->shown || now - c->drawn < drawing_interval)
        return false;
    c->drawn = now;
    return true;
}

static void draw(struct copy *c, const struct target *t, uint64_t deadline)
{
    const struct copying *shared = c->copier.shared;
    if (is_time_to_draw(c))
        progress_draw_copy(t, atomic_load(&shared->bytes), atomic_load(&shared->total), deadline);
}

/* deadline: UINT64_MAX for none. False if it has passed. */
static bool await_answer(struct copy *c, const struct target *t, uint64_t deadline)
{
    for (;;) {
        uint64_t next = clock_now() + drawing_interval;
        if (wait_until(c, c->copier.answers, next < deadline ? next : deadline))
            return true;
        if (clock_now() >= deadline)
            return false;
        draw(c, t, deadline);
    }
}

static bool copier_failed(struct copy *c, struct target *t)
{
    struct text why = target_why(t);
    text_str(&why, "cannot be copied: ");
    text_str(&why, c->copier.shared->reason);
    return target_fails(t, STATUS_UNEXAMINED);
}

/* Has the copier do something for which nobody waits but us. */
static bool carry_out(struct copy *c, struct target *t, enum copier_order order, unsigned job)
{
    copier_order(&c->copier, order, job);
    await_answer(c, t, UINT64_MAX);
    return copier_answer(&c->copier) || copier_failed(c, t);
}

/* --- the lock --- */

/* A writer that never pauses leaves a gap of some hundred microseconds between two transactions, in
 * which others wait for milliseconds. So often, and not in step with one that begins at regular
 * times; a try takes about 20 us. */
static uint64_t next_try(void)
{
    uint64_t now = clock_now();
    return now + 50000 + now % 100003;
}

static bool refuse_lock(struct target *t, enum lock_answer answer, uint64_t began)
{
    if (answer == LOCK_HOT)
        return copy_plan_refuse_hot_journal(t);
    if (answer == LOCK_FAILED)
        return target_fails(t, STATUS_UNEXAMINED);
    t->unnamed = true;
    t->result.elapsed = clock_now() - began;
    return target_fails(t, STATUS_HELD);
}

/* With what is left of the time that there was to wait; it is tried for at least once. */
static bool take_lock(struct copy *c, struct target *t, uint64_t left)
{
    const uint64_t began = clock_now();
    struct text why = target_why(t);
    enum lock_answer answer;
    t->deadline = began + left;
    if (!copy_lock_open(&c->lock, t->request.path, copy_source_profile(t), &why))
        return target_fails(t, STATUS_UNEXAMINED);
    while ((answer = copy_lock_try(&c->lock, &why)) == LOCK_BUSY && clock_now() < t->deadline) {
        wait_until(c, -1, next_try());
        if (is_time_to_draw(c))
            progress_draw(t);
    }
    if (answer != LOCK_TAKEN) {
        copy_lock_end(&c->lock);
        return refuse_lock(t, answer, began);
    }
    t->result.elapsed += clock_now() - began;
    return true;
}

static bool hold_too_long(struct copy *c, struct target *t)
{
    struct copying *shared = c->copier.shared;
    struct text why = target_why(t);
    copier_end(&c->copier);
    if (atomic_load(&shared->broken)) {
        text_str(&why, "cannot be copied: ");
        text_str(&why, shared->reason);
        return target_fails(t, STATUS_UNEXAMINED);
    }
    text_str(&why, "was not copied after ");
    text_seconds(&why, t->copy.hold);
    text_str(&why, ", and its writers are kept out no longer (--max-hold): ");
    progress_say_bytes(&why, atomic_load(&shared->bytes), atomic_load(&shared->total));
    if (shared->reason[0] != '\0') {
        text_str(&why, "; ");
        text_str(&why, shared->reason);
    }
    return target_fails(t, STATUS_HELD);
}

static bool copy_one(struct copy *c, unsigned i)
{
    struct target *t = &c->targets[i];
    struct copying *shared = c->copier.shared;
    uint64_t now = clock_now();
    const uint64_t left = t->deadline > now ? t->deadline - now : 0;
    atomic_store(&shared->bytes, 0);
    atomic_store(&shared->by, BY_REFLINK);
    atomic_store(&shared->total, 0);
    if (!carry_out(c, t, ORDER_PREPARE, i) || !take_lock(c, t, left))
        return false;

    const uint64_t began = clock_now();
    copier_order(&c->copier, ORDER_COPY, i);
    bool in_time = await_answer(c, t, began + c->request->max_hold);
    copy_lock_end(&c->lock);
    t->copy.hold = clock_now() - began;
    if (!in_time)
        return hold_too_long(c, t);
    t->copy.bytes = atomic_load(&shared->bytes);
    t->copy.by = copied_by_names[atomic_load(&shared->by)];
    return copier_answer(&c->copier) || copier_failed(c, t);
}

static void note_made(struct copy *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        struct target_copy *copy = &c->targets[i].copy;
        const char *inside = c->copier.jobs[i].path + strlen(c->place.name);
        copy->made = path_beside(copy->path, sizeof copy->path, c->place.path, inside);
    }
}

static void finish(struct copy *c)
{
    copier_order(&c->copier, ORDER_FINISH, 0);
    await_answer(c, &c->targets[0], UINT64_MAX);
    if (copier_answer(&c->copier))
        note_made(c);
    else
        copier_failed(c, &c->targets[atomic_load(&c->copier.shared->job)]);
}

/* Who would stop this process from a terminal stops it when it has let go. */
static void hold_signals(struct copy *c)
{
    static const int stops[] = {SIGTSTP, SIGTTIN, SIGTTOU};
    sigset_t set;
    interrupt_catch(&c->before);
    c->mask = c->before;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        sigaddset(&set, stops[i]);
        sigaddset(&c->mask, stops[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void copy_stores(struct target *targets, unsigned n, const struct copy_request *request)
{
    static struct copy c;
    c.targets = targets;
    c.count = n;
    c.request = request;
    c.shown = progress_wanted();
    c.place.parent = c.place.temporary = -1;
    c.copier.jobs = calloc(n, sizeof *c.copier.jobs);
    c.copier.count = n;
    c.copier.place = &c.place;
    if (!copy_plan(targets, n, request->to, &c.place, c.copier.jobs))
        return;
    hold_signals(&c);
    bool good = begin(&c);
    for (unsigned i = 0; good && i < n; i++)
        good = copy_one(&c, i);
    if (good)
        finish(&c);
    end(&c);
    if (interrupt_seen() != 0)
        interrupt_end(&c.before); /* it came while the copy got its name */
    sigprocmask(SIG_SETMASK, &c.before, NULL);
}
