#include "track/block.h"

#include "base/clock.h"
#include "base/sys.h"
#include "config/rules.h"
#include "helper/helper.h"
#include "helper/interruption.h"
#include "helper/log.h"
#include "helper/record.h"
#include "track/books.h"
#include "track/budget.h"
#include "track/history.h"
#include "track/in_vain.h"
#include "track/locks.h"
#include "track/namer.h"
#include "track/process.h"
#include "track/tell.h"
#include "track/track.h"
#include "track/vain.h"
#include "track/waiting.h"

#include <errno.h>

static const struct settings *settings;
static struct block_books *const own = &BOOKS.waits;

struct block_request {
    struct wait_request wait;
    struct wait_result result;
    struct wait_holders holders;
    struct namer namer;
    struct claim claim;
    struct helper *helper;
    struct store *store;
    const struct rule *rule;
    struct block_cause cause; /* the helper's, as the caller's may be gone by then */
    struct lending lending;   /* of the call's lines */
    bool work_ends_it;        /* its connections are in nobody's way until they take a lock */
    bool reopening_ends_it;
    struct in_vain in_vain;
    atomic_bool counted;  /* among those that run: whoever takes that back settles its claim */
    struct log_line line; /* here, since the program's stack may be a small one */
};

SYS_AT_START void block_start(const struct settings *s)
{
    settings = s;
    budget_start(s->total_wait);
}

SYS_AT_START unsigned block_waits_running(void)
{
    return atomic_load(&own->running);
}

void block_for(uint64_t ns)
{
    int home = process_home();
    uint64_t end = clock_now() + ns;
    for (uint64_t now = clock_now(); now < end && process_home() == home; now = clock_now())
        sys_poll(-1, 0, end - now);
}

uint64_t block_fixed_delay(const struct rule *rule)
{
    return settings->fallback_delay < rule->max_wait ? settings->fallback_delay : rule->max_wait;
}

static void fixed_delay(const struct rule *rule)
{
    struct claim claim = budget_claim(block_fixed_delay(rule), clock_now());
    block_for(claim.ns);
    budget_settle(claim, claim.ns);
}

/* --- in the helper --- */
HELPER_STACK_BEGIN

static bool is_over(const void *argument)
{
    const struct block_request *asked = argument;
    struct block_request *request = helper_request(asked->helper);
    lines_write(&request->lending); /* it is held: the wait lasts */
    return helper_is_told_to_stop(request->helper) || !track_is_on() ||
           (request->reopening_ends_it &&
            (atomic_load(&request->store->handles) & STORE_OPENED) != 0) ||
           (request->work_ends_it && locks_beyond_idle(request->store));
}

static bool is_in_vain(void *argument, const struct probe *probe)
{
    struct block_request *request = argument;
    return in_vain_is(&request->in_vain, &request->wait, probe);
}

static void name_meanwhile(void *argument, const struct holder *seen)
{
    struct block_request *request = argument;
    namer_begin(&request->namer, &request->wait, seen);
}

/* A wait that timed out has named them itself. */
static void take_names(struct block_request *request)
{
    struct holders none = {.list = NULL, .room = 0};
    const struct wait_result *result = &request->result;
    struct holders *found = &request->holders.found;
    bool named = result->outcome == OUTCOME_TIMED_OUT || request->wait.holders == NULL;
    namer_end(&request->namer, named ? &none : found);
    if (!named && found->count == 0 && result->holder.hold != HOLD_NONE) {
        found->list[0] = result->holder;
        found->count = 1;
    }
}

static void count_down(struct block_request *request, uint64_t used)
{
    if (!atomic_exchange(&request->counted, false))
        return;
    budget_settle(request->claim, used);
    atomic_fetch_sub(&own->running, 1);
}

/* Tells what came of it; in the helper, or, with lines NULL, in the program's thread. */
static void conclude(struct block_request *request, struct lines *lines)
{
    struct wait_result *r = &request->result;
    last_look_apply(&request->cause.last_look, &request->wait, r);
    tell_result(&request->line, lines, &request->wait, r, request->rule);
    history_wait_ended(lines, request->store, &request->wait, r, 0, r->elapsed, &request->cause);
}

/* Counts itself down: the thread may have left, by longjmp, cancellation, an exit in a handler. */
static void work(void *argument)
{
    struct block_request *request = argument;
    struct wait_result *result = &request->result;
    wait_store(&request->wait, result);
    if (!helper_is_told_to_stop(request->helper)) {
        take_names(request);
        in_vain_learn(&request->in_vain, &request->wait, result);
    }
    const bool free =
        result->outcome == OUTCOME_SETTLED_AT_ONCE || result->outcome == OUTCOME_HANDED_OVER;
    count_down(request, free ? 0 : request->wait.began + result->elapsed - request->claim.began);
    struct lines *lines = lines_begin_end(&request->lending);
    if (lines != NULL) {
        conclude(request, lines);
        lines_end(&request->lending, lines);
    }
}

HELPER_STACK_END
/* --- in the program's thread --- */

static void mark(struct store *store, const struct wait_result *result)
{
    if (result->outcome == OUTCOME_UNEXAMINED)
        return;
    const bool in_vain = result->outcome == OUTCOME_TIMED_OUT;
    store_mark(store, in_vain ? STORE_IN_VAIN : 0,
               in_vain ? STORE_UNSETTLED : STORE_UNSETTLED | STORE_IN_VAIN);
}

static void tell_of_frames(struct block_request *request, struct store *store)
{
    if (request->result.frames > 0 &&
        (store_mark(store, STORE_FRAMES_TOLD, 0) & STORE_FRAMES_TOLD) == 0)
        tell_frames(&request->line, &request->wait, request->result.frames);
}

/* What to ask: all that a question of its own and a wait have in common. */
static void ask_for(struct wait_request *wait, struct store *store, const char *path,
                    const struct rule *rule)
{
    str_copy(wait->path, sizeof wait->path, path);
    wait->fresh = path != store_path(store);
    wait->identity = store_primary(store);
    wait->check_interval = rule->check_interval;
    wait->until = (enum until)rule->until;
    wait->profile = store_profile(store);
    wait->max_collections = settings->max_collections;
    wait->max_files = settings->max_files;
}

static void ask_for_writers(struct wait_request *wait)
{
    wait->writers = true;
    wait->until = UNTIL_UNLOCKED;
    wait->no_dotfile = wait->profile->engine != ENGINE_SQLITE;
    wait->profile = NULL; /* index files are this process's own */
}

/* What it asks, and how long it may take: as the rule says, or as waits in vain and the budget have
 * left. */
static void plan(struct block_request *request, const char *path)
{
    const struct rule *rule = request->rule;
    const struct block_cause *cause = &request->cause;
    struct wait_request *wait = &request->wait;
    const uint64_t now = cause->now != 0 ? cause->now : clock_now();
    const uint64_t gone = now - cause->began;
    uint64_t limit = rule->max_wait;
    request->in_vain.whole = vain_has_whole(now);
    if (!request->in_vain.whole && gone + block_fixed_delay(rule) < limit)
        limit = gone + block_fixed_delay(rule);
    request->claim = budget_claim(gone < limit ? limit - gone : 0, now);
    request->reopening_ends_it = rule->trigger != TRIGGER_EVERY && !cause->writers;
    request->work_ends_it = cause->writers;
    ask_for(wait, request->store, path, rule);
    if (cause->writers)
        ask_for_writers(wait);
    last_look_begin(&cause->last_look, wait);
    wait->began = cause->began;
    wait->deadline = now + request->claim.ns;
    wait->max_wait = rule->max_wait;
    wait->reopened = is_over;
    wait->context = request;
    wait->in_vain = is_in_vain;
    wait->signals = interruption_signals;
    wait->asker = request;
    wait->enough = now + block_fixed_delay(rule);
    const bool told = (atomic_load(&request->store->state) & STORE_FRAMES_TOLD) != 0;
    wait->frames = !cause->writers && ((log_wants(LOG_WARN) && !told) || record_wanted());
    if (log_wants(LOG_WARN) || record_wanted())
        wait_name_holders(wait, &request->holders);
    wait->naming = request;
    if (record_wanted())
        wait->lasting = name_meanwhile;
}

/* Returns as helper_run; *concluded: the helper has told what came of it. */
static int run(struct block_request *request, bool *concluded)
{
    const uint64_t end = request->wait.deadline + BLOCK_PATIENCE;
    const bool lent = lines_lend(&request->lending);
    atomic_fetch_add(&own->running, 1);
    atomic_store(&request->counted, true);
    const uint64_t before = waiting_begin(end);
    const int error = helper_run_interruptibly(request->helper, work, end);
    waiting_end(before);
    *concluded = lent && lines_take_back(&request->lending);
    return error;
}

static void finish(struct block_request *request, const char *path, int error, bool concluded)
{
    const struct rule *rule = request->rule;
    const uint64_t began = request->wait.began;
    const uint64_t elapsed = error == 0 ? request->result.elapsed : clock_now() - began;
    switch (error) {
    case 0:
        if (!concluded)
            conclude(request, NULL);
        in_vain_tell(&request->in_vain, &request->wait, &request->result, settings->fallback_delay);
        tell_of_frames(request, request->store);
        if (request->result.outcome == OUTCOME_UNEXAMINED)
            fixed_delay(rule);
        mark(request->store, &request->result);
        return;
    case ESRCH:
        return;
    case EINTR: /* the helper may be at work: its result is not to be read */
        count_down(request, began + elapsed - request->claim.began);
        tell_interrupted(path, rule, elapsed);
        break;
    case ETIMEDOUT:
        vain_ended(began + elapsed, elapsed, rule->max_wait);
        tell_failure(path, rule, error);
        break;
    default: /* it did not run, or not to its end */
        count_down(request, 0);
        tell_failure(path, rule, error);
        fixed_delay(rule);
    }
    if (!concluded)
        history_wait_ended(NULL, request->store, &request->wait, NULL, error, elapsed,
                           &request->cause);
}

static void do_without_helper(const struct store *store, const char *path, const struct rule *rule,
                              const struct block_cause *cause)
{
    if (path[0] == '\0')
        log_say(LOG_WARN, "a store's directory cannot be determined, a fixed delay instead");
    else
        tell_failure(path, rule, ENOMEM);
    fixed_delay(rule);
    history_not_examined(store, path, cause);
}

static void wait_by_rule(struct store *store, const char *path, const struct rule *rule,
                         const struct block_cause *cause, int home)
{
    struct helper *helper = path[0] == '\0' ? NULL : helper_new(sizeof(struct block_request));
    if (helper == NULL) {
        do_without_helper(store, path, rule, cause);
        return;
    }
    if (process_home() == home) {
        struct block_request *request = helper_request(helper);
        bool concluded;
        request->helper = helper;
        request->store = store;
        request->rule = rule;
        request->cause = *cause;
        plan(request, path);
        history_wait_begun(store, &request->wait, cause);
        const int error = run(request, &concluded);
        finish(request, path, error, concluded);
    }
    helper_free(helper);
}

static void look(void *argument)
{
    struct block_request *request = argument;
    wait_store(&request->wait, &request->result);
}

bool block_is_settled(struct store *store, int home)
{
    const char *path = store_path(store);
    struct helper *helper = path[0] == '\0' ? NULL : helper_new(sizeof(struct block_request));
    if (helper == NULL)
        return true; /* nobody can say that it is not */
    struct block_request *request = helper_request(helper);
    struct wait_request *wait = &request->wait;
    ask_for(wait, store, path, rules_get(atomic_load(&store->rule)));
    wait->began = wait->deadline = clock_now();
    const uint64_t before = waiting_begin(wait->deadline + BLOCK_PATIENCE);
    int error =
        process_home() == home ? helper_run(helper, look, wait->deadline + BLOCK_PATIENCE) : ESRCH;
    waiting_end(before);
    bool held = error == 0 && request->result.outcome == OUTCOME_TIMED_OUT;
    if (error == 0 && !held)
        mark(store, &request->result);
    helper_free(helper);
    return !held;
}

bool block_may_wait(const struct store *store, const char *path)
{
    if (budget_unspent() > 0)
        return true;
    log_say_path(LOG_DEBUG, path, "not waited for, since SETTLE_TOTAL_WAIT is spent");
    history_budget_spent(store, path);
    tell_end_of_budget();
    return false;
}

void block_until_settled(struct store *store, const char *path, const struct block_cause *cause,
                         int home)
{
    if (process_home() != home || !block_may_wait(store, path))
        return;
    atomic_fetch_add(&store->waited, 1);
    lines_hold(&home);
    wait_by_rule(store, path, rules_get(atomic_load(&store->rule)), cause, home);
    lines_release(&home);
    tell_end_of_budget();
}
