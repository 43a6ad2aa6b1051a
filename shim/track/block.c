#include "track/block.h"

#include "base/clock.h"
#include "base/sys.h"
#include "config/rules.h"
#include "helper/helper.h"
#include "helper/log.h"
#include "helper/record.h"
#include "track/books.h"
#include "track/budget.h"
#include "track/history.h"
#include "track/namer.h"
#include "track/process.h"
#include "track/tell.h"

#include <errno.h>

static const struct settings *settings;
static struct block_books *const own = &BOOKS.waits;

struct block_request {
    struct wait_request wait;
    struct wait_result result;
    struct wait_holders holders;
    struct namer namer;
    struct claim claim;
    struct log_line line; /* here, since the program's stack may be a small one */
};

void block_start(const struct settings *s)
{
    settings = s;
    budget_start(s->total_wait);
}

unsigned block_waits_running(void)
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

static void fixed_delay(const struct rule *rule)
{
    struct claim claim = budget_claim(
        settings->fallback_delay < rule->max_wait ? settings->fallback_delay : rule->max_wait);
    block_for(claim.ns);
    budget_settle(claim, claim.ns);
}

static bool is_open_again(const void *store)
{
    return (atomic_load(&((const struct store *)store)->handles) & STORE_OPENED) != 0;
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

/* The helper counts its wait down itself: the thread that asked for it may have left by longjmp, by
 * cancellation, or by an exit in a signal handler. */
static void work(void *argument)
{
    struct block_request *request = argument;
    struct wait_result *result = &request->result;
    wait_store(&request->wait, result);
    take_names(request);
    budget_settle(request->claim, result->sleeps > 0 ? clock_now() - request->claim.began : 0);
    atomic_fetch_sub(&own->running, 1);
}

/* Waits as the rule says, for as long as it says or as the budget is. */
static void wait_by_rule(struct store *store, const char *path, const struct rule *rule,
                         uint64_t began, int home)
{
    if (path[0] == '\0') {
        log_say(LOG_WARN, "the directory of a store cannot be determined, a fixed delay instead");
        fixed_delay(rule);
        history_not_examined(store, path, began);
        return;
    }
    struct helper *helper = helper_new(sizeof(struct block_request));
    if (helper == NULL) {
        tell_failure(path, rule, ENOMEM);
        fixed_delay(rule);
        history_not_examined(store, path, began);
        return;
    }
    if (process_home() != home) {
        helper_free(helper);
        return;
    }
    struct block_request *request = helper_request(helper);
    struct wait_request *wait = &request->wait;
    uint64_t gone = clock_now() - began;
    request->claim = budget_claim(gone < rule->max_wait ? rule->max_wait - gone : 0);
    str_copy(wait->path, sizeof wait->path, path);
    wait->fresh = path != atomic_load(&store->path);
    wait->identity = (struct identity){atomic_load(&store->dev), atomic_load(&store->ino)};
    wait->began = began;
    wait->deadline = began + gone + request->claim.ns;
    wait->check_interval = rule->check_interval;
    wait->until = (enum until)rule->until;
    if (log_wants(LOG_WARN) || record_wanted())
        wait_name_holders(wait, &request->holders);
    if (record_wanted()) {
        wait->lasting = name_meanwhile;
        wait->naming = request;
    }
    wait->profile = atomic_load(&store->profile);
    wait->max_collections = settings->max_collections;
    wait->max_files = settings->max_files;
    wait->reopened = rule->trigger == TRIGGER_EVERY ? NULL : is_open_again;
    wait->context = store;

    history_wait_begun(store, wait);
    atomic_fetch_add(&own->running, 1);
    int error = helper_run(helper, work, wait->deadline + BLOCK_PATIENCE);
    if (error == 0) {
        tell_result(&request->line, wait, &request->result, rule);
        if (request->result.outcome == OUTCOME_UNEXAMINED)
            fixed_delay(rule);
    } else if (error == ETIMEDOUT) {
        tell_failure(path, rule, error);
    } else if (error != ESRCH) { /* it did not run, or not to its end */
        budget_settle(request->claim, 0);
        atomic_fetch_sub(&own->running, 1);
        tell_failure(path, rule, error);
        fixed_delay(rule);
    }
    if (error != ESRCH)
        history_wait_ended(store, wait, &request->result, error);
    helper_free(helper);
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

void block_until_settled(struct store *store, const char *path, uint64_t began, int home)
{
    if (path == NULL || !block_may_wait(store, path))
        return;
    wait_by_rule(store, path, rules_get(atomic_load(&store->rule)), began, home);
    tell_end_of_budget();
}
