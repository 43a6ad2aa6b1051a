#include "wait/wait.h"

#include "base/clock.h"
#include "base/sys.h"
#include "base/text.h"
#include "wait/pace.h"
#include "wait/wait_one.h"
#include "wait/watch.h"

#include <string.h>

/* A wait shorter than this sets no watch: the back-off is as exact there, and the end of a watch
 * costs the process milliseconds. */
static const uint64_t watch_after = 2000000;

const uint64_t wait_lasts = 10000000;

const uint64_t wait_naming_limit = 50000000;

void wait_name_holders(struct wait_request *request, struct wait_holders *room)
{
    room->found =
        (struct holders){.list = room->list, .room = sizeof room->list / sizeof room->list[0]};
    request->holders = &room->found;
}

/* The probe has been ended, or its own descriptor would be found. */
static void name_holders(const struct wait_request *request, struct wait_result *result)
{
    const struct holders_question question = {
        .path = request->path,
        .sidecars = true,
        .profile = request->profile,
        .locks = true,
        .remote = result->remote,
        .until = request->until,
        .deadline = clock_now() + wait_naming_limit,
    };
    holders_find(request->holders, &question, &result->holder);
    result->holder = request->holders->list[0];
}

/* One who is known already is not worth a look into all processes. */
static void name_this_one(const struct wait_request *request, struct wait_result *result)
{
    struct holders *found = request->holders;
    holders_complete_one(&result->holder);
    found->list[0] = result->holder;
    found->count = 1;
}

/* Asks once; false if there is nothing more to wait for. */
static bool ask(struct probe *probe, bool slept, struct wait_result *result)
{
    enum verdict verdict = probe_ask(probe);
    result->probes++;
    result->error = probe->error;
    result->reason = probe->reason;
    result->remote |= probe->on.remote;
    if (verdict == VERDICT_SETTLED)
        result->outcome = slept                ? OUTCOME_SETTLED_AFTER_WAITING
                          : probe->handed_over ? OUTCOME_HANDED_OVER
                                               : OUTCOME_SETTLED_AT_ONCE;
    else if (verdict == VERDICT_GONE)
        result->outcome = OUTCOME_GONE;
    else if (verdict == VERDICT_UNEXAMINED)
        result->outcome = OUTCOME_UNEXAMINED;
    return verdict == VERDICT_HELD;
}

/* Who held a file while it was waited for, as the kernel tells it. */
struct seen {
    struct holder holder;
    bool completed;
    bool told;
    uint64_t next; /* ns into the wait: then another may be told */
};

static void see(struct seen *seen, const struct holder *now, const char *ending)
{
    if (now->hold == seen->holder.hold && now->pid == seen->holder.pid)
        return;
    seen->holder = *now;
    if (ending[0] != '\0')
        seen->holder.ending = ending;
    seen->completed = seen->told = false;
}

/* The quick part, some 20 us, where the wait has lasted a hundred times that; then the rest, by
 * somebody else. The distance doubles, so that holders who take turns cost little. */
static void tell_of_holder(const struct wait_request *request, struct seen *seen, uint64_t since)
{
    if (!seen->completed && since >= watch_after) {
        seen->completed = true;
        holders_complete_one(&seen->holder);
    }
    if (!seen->told && since >= wait_lasts && since >= seen->next) {
        seen->told = true;
        seen->next = 2 * since;
        request->lasting(request->naming, &seen->holder);
    }
}

static bool same_lock(const struct holder *a, const struct holder *b)
{
    return a->hold == b->hold && a->pid == b->pid && a->start == b->start && a->end == b->end;
}

/* Whether to go on waiting for the primary is known to be in vain. */
static bool gives_up(const struct wait_request *request, const struct probe *probe, uint64_t now,
                     const char *ending)
{
    return request->in_vain != NULL && now >= request->enough && ending != NULL &&
           ending[0] == '\0' && request->in_vain(request->asker, probe);
}

/* How long it may sleep so that what has to be looked at in time is. */
static uint64_t at_most(uint64_t sleep, const struct wait_request *request, uint64_t now)
{
    if (sleep > request->deadline - now)
        sleep = request->deadline - now;
    if (request->in_vain != NULL && now < request->enough && sleep > request->enough - now)
        sleep = request->enough - now;
    return sleep;
}

/* In a directory that the user has named, any file may have any name. */
static bool is_database(const struct wait_request *request, const char *ending)
{
    return ending != NULL && ending[0] == '\0' && !request->no_dotfile &&
           (request->profile == NULL || request->profile->engine == ENGINE_SQLITE);
}

/* The course of one wait. Moments are those of clock_now. */
struct course {
    const struct wait_request *request;
    const char *path;
    const char *ending; /* of the file's name, as wait_for has it */
    struct wait_result *result;
    struct probe probe;
    struct watch watch;
    uint64_t began;      /* when it was first found to be held: a free one takes no time */
    uint64_t since;      /* the back-off's beginning */
    uint64_t last_event; /* when the last event woke us, or the wait began, */
    uint64_t deaf;       /* and how long we were deaf for it */
    bool slept;
    bool woken;
    bool watched;
    struct seen seen;
    struct holder first; /* whom the kernel named first */
};

static struct course course_of(const struct wait_request *request, const char *path,
                               struct identity identity, const char *ending,
                               struct wait_result *result)
{
    struct course c = {.request = request, .path = path, .ending = ending, .result = result};
    c.probe = probe_of(path, identity);
    c.probe.until = request->until;
    c.probe.writers = request->writers;
    c.probe.passed = request->alone ? request->profile->engine : ENGINE_SQLITE;
    c.probe.last = true;
    c.probe.dotfile = is_database(request, ending);
    c.probe.fresh = request->fresh && path == request->path;
    c.watch = watch_none();
    return c;
}

/* Asks; false when the wait is over, and the result says how. *now: when the answer was there. */
static bool goes_on(struct course *c, uint64_t *now)
{
    const struct wait_request *request = c->request;
    struct wait_result *result = c->result;
    if (!ask(&c->probe, c->slept, result))
        return false;
    if (request->reopened != NULL && request->reopened(request->context)) {
        result->outcome = OUTCOME_REOPENED;
        return false;
    }
    if (c->first.hold == HOLD_NONE) {
        c->first = c->probe.holder;
        result->unchanged = true;
    }
    result->unchanged &= same_lock(&c->first, &c->probe.holder);
    *now = clock_now();
    if (c->began == 0)
        c->began = c->since = c->last_event = *now;
    result->given_up = *now < request->deadline && gives_up(request, &c->probe, *now, c->ending);
    if (*now < request->deadline && !result->given_up)
        return true;
    result->outcome = OUTCOME_TIMED_OUT;
    return false;
}

/* Sets the watch, once the wait has lasted. Then the next question comes at once: what happened
 * before the watch was set causes no event. */
static bool begins_to_watch(struct course *c, uint64_t now)
{
    if (c->watched || now - c->began < watch_after)
        return false;
    c->watched = true;
    watch_start(&c->watch, c->path);
    if (c->request->signals != 0)
        watch_signals(&c->watch, c->request->signals);
    return true;
}

static void note_event(struct course *c)
{
    const uint64_t now = clock_now();
    c->result->events++;
    c->deaf = pace_deaf(c->deaf, now - c->last_event,
                        pace_backoff(now - c->began, c->request->check_interval));
    c->last_event = now;
    c->since = now;
}

/* Sleeps until the next question: for the back-off, or until an event; after one that has woken us,
 * deaf to others. */
static void rest(struct course *c, uint64_t now)
{
    const uint64_t backoff = pace_backoff(now - c->since, c->request->check_interval);
    const uint64_t wanted = c->woken ? c->deaf : pace_settling(now - c->last_event, backoff);
    const uint64_t sleep = at_most(wanted, c->request, now);
    if (c->woken) {
        sys_poll(-1, 0, sleep);
        c->woken = false;
    } else {
        /* each question at this level is an open and a close, and so an event */
        c->woken = c->request->until == UNTIL_CLOSED &&
                   watch_take(&c->watch) > watch_own_events(&c->watch);
        c->woken = c->woken || watch_sleep(&c->watch, sleep);
    }
    c->result->sleeps++;
    c->slept = true;
    if (c->woken)
        note_event(c);
}

static void name_who_stayed(struct course *c)
{
    struct wait_result *result = c->result;
    const char *ending = c->ending;
    result->holder = c->probe.holder;
    if (ending != NULL && ending[0] != '\0')
        result->holder.ending = ending;
    if (ending != NULL && c->request->holders != NULL && !result->given_up)
        name_holders(c->request, result);
    else if (ending != NULL && c->request->holders != NULL)
        name_this_one(c->request, result);
}

void wait_for(const struct wait_request *request, const char *path, struct identity identity,
              const char *ending, struct wait_result *result)
{
    struct course c = course_of(request, path, identity, ending, result);
    const bool named = ending != NULL && request->lasting != NULL;
    uint64_t now;
    while (goes_on(&c, &now)) {
        if (named) {
            see(&c.seen, &c.probe.holder, ending);
            tell_of_holder(request, &c.seen, now - c.began);
        }
        if (!begins_to_watch(&c, now))
            rest(&c, now);
    }
    probe_end(&c.probe);
    if (c.seen.holder.hold != HOLD_NONE)
        result->holder = c.seen.holder;
    if (result->outcome == OUTCOME_TIMED_OUT)
        name_who_stayed(&c);
    if (result->outcome == OUTCOME_TIMED_OUT || result->outcome == OUTCOME_UNEXAMINED)
        str_copy(result->file, sizeof result->file, path);
}

void wait_begin_result(struct wait_result *result)
{
    memset(result, 0, offsetof(struct wait_result, file));
    result->outcome = OUTCOME_SETTLED_AT_ONCE;
    result->file[0] = result->secondary[0] = '\0';
}

void wait_file(const struct wait_request *request, struct wait_result *result)
{
    wait_begin_result(result);
    wait_for(request, request->path, request->identity, "", result);
    result->elapsed = clock_now() - request->began;
}
