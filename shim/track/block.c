#include "track/block.h"

#include "base/sys.h"
#include "config/rules.h"
#include "helper/helper.h"
#include "helper/log.h"
#include "helper/record.h"
#include "track/budget.h"
#include "track/history.h"
#include "track/namer.h"

#include <errno.h>

static const struct settings *settings;
/* In the memory that a fork empties: a child has none of its parent's waits. */
#define waits (store_memory.root.waits)

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
    return atomic_load(&waits);
}

void block_for(uint64_t ns)
{
    int home = store_home();
    uint64_t end = sys_now() + ns;
    for (uint64_t now = sys_now(); now < end && store_home() == home; now = sys_now())
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
    budget_settle(request->claim, result->sleeps > 0 ? sys_now() - request->claim.began : 0);
    atomic_fetch_sub(&waits, 1);
}

/* --- telling --- */

static void say_counts(struct text *t, const struct wait_result *r)
{
    text_str(t, "probes=");
    text_int(t, r->probes);
    text_str(t, " sleeps=");
    text_int(t, r->sleeps);
    text_str(t, " events=");
    text_int(t, r->events);
}

static void say_outcome(struct text *t, const struct wait_request *wait,
                        const struct wait_result *r)
{
    const char *path = wait->path;
    switch (r->outcome) {
    case OUTCOME_SETTLED_AT_ONCE:
        text_str(t, "unlocked at once: ");
        text_path(t, path);
        break;
    case OUTCOME_SETTLED_AFTER_WAITING:
        text_str(t, "File unlocked after polling: ");
        text_path(t, path);
        text_str(t, " after ");
        text_seconds(t, r->elapsed);
        break;
    case OUTCOME_TIMED_OUT:
        text_path(t, r->file);
        text_str(t, ": still locked after ");
        text_seconds(t, r->elapsed);
        text_str(t, ", held by ");
        holders_describe(t, wait->holders);
        break;
    case OUTCOME_UNEXAMINED:
        text_path(t, r->file);
        text_str(t, ": cannot be examined (");
        if (r->reason != NULL)
            text_str(t, r->reason);
        else
            text_error(t, r->error);
        text_str(t, "), a fixed delay instead");
        break;
    case OUTCOME_GONE:
        text_path(t, path);
        text_str(t, ": removed or replaced, nothing to wait for");
        break;
    case OUTCOME_REOPENED:
        text_path(t, path);
        text_str(t, ": opened again by this process after ");
        text_seconds(t, r->elapsed);
        text_str(t, ", the wait ends");
        break;
    }
}

static void say_rule(struct text *t, const struct rule *rule)
{
    if (rule->name[0] == '\0')
        return;
    text_str(t, " rule=");
    text_str(t, rule->name);
}

/* A store found by its content is often a scratch database, deleted on purpose while it is open. */
static enum log_level level_of(const struct wait_result *result, const struct profile *profile)
{
    switch (result->outcome) {
    case OUTCOME_SETTLED_AT_ONCE:
        return LOG_DEBUG;
    case OUTCOME_SETTLED_AFTER_WAITING:
    case OUTCOME_REOPENED:
        return LOG_INFO;
    case OUTCOME_GONE:
        return profile->by_content || result->sleeps > 0 ? LOG_INFO : LOG_WARN;
    case OUTCOME_TIMED_OUT:
    case OUTCOME_UNEXAMINED:
        break;
    }
    return LOG_WARN;
}

void block_tell(struct log_line *line, const struct wait_request *wait, const struct wait_result *r,
                const struct rule *rule)
{
    enum log_level level = level_of(r, wait->profile);
    if (log_wants(level)) {
        log_begin(line, level);
        say_outcome(&line->text, wait, r);
        if (log_wants(LOG_INFO)) {
            text_str(&line->text, " ");
            say_counts(&line->text, r);
        }
        say_rule(&line->text, rule);
        log_end(line);
    }
    static atomic_bool told_of_host;
    if (r->remote && wait->until != UNTIL_UNLOCKED && log_wants(LOG_WARN) &&
        !atomic_exchange(&told_of_host, true))
        log_say_path(LOG_WARN, wait->path,
                     "on a file system of another host, where only this host's opens are seen");
    if (r->secondaries_held > 0 && log_wants(LOG_INFO)) {
        log_begin(line, LOG_INFO);
        text_path(&line->text, r->secondary);
        text_str(&line->text, ": secondary file still locked, not waited for (");
        text_int(&line->text, r->secondaries_held);
        text_str(&line->text, " of ");
        text_int(&line->text, r->secondaries);
        text_str(&line->text, " looked at)");
        say_rule(&line->text, rule);
        log_end(line);
    }
}

/* What is in the way of one wait is in that of the next: one warning will do. */
static enum log_level level_of_failure(int error)
{
    static _Atomic int said;
    return atomic_exchange(&said, error) == error ? LOG_INFO : LOG_WARN;
}

static void tell_failure(const char *path, const struct rule *rule, int error)
{
    enum log_level level = level_of_failure(error);
    if (!log_wants(level))
        return;
    struct log_line line;
    log_begin(&line, level);
    text_path(&line.text, path);
    switch (error) {
    case ETIMEDOUT:
        text_str(&line.text, ": the file system does not answer, the close goes on");
        break;
    case ENOTSUP:
        text_str(&line.text, ": not examined, since the seccomp filter that this program was "
                             "started under may kill it for clone; a fixed delay instead");
        break;
    case ECANCELED:
        text_str(&line.text, ": cannot be examined (the seccomp filter that this program was "
                             "started under kills for it), a fixed delay instead");
        break;
    default:
        text_str(&line.text, ": cannot be examined from a helper thread (");
        text_error(&line.text, error);
        text_str(&line.text, "), a fixed delay instead");
    }
    say_rule(&line.text, rule);
    log_end(&line);
}

void block_tell_end_of_budget(void)
{
    if (!budget_ends_now() || !log_wants(LOG_WARN))
        return;
    struct log_line line;
    log_begin(&line, LOG_WARN);
    text_str(&line.text, "the ");
    text_seconds(&line.text, settings->total_wait);
    text_str(&line.text, " of SETTLE_TOTAL_WAIT are spent: closes no longer wait");
    log_end(&line);
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
    if (store_home() != home) {
        helper_free(helper);
        return;
    }
    struct block_request *request = helper_request(helper);
    struct wait_request *wait = &request->wait;
    uint64_t gone = sys_now() - began;
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
    atomic_fetch_add(&waits, 1);
    int error = helper_run(helper, work, wait->deadline + BLOCK_PATIENCE);
    if (error == 0) {
        block_tell(&request->line, wait, &request->result, rule);
        if (request->result.outcome == OUTCOME_UNEXAMINED)
            fixed_delay(rule);
    } else if (error == ETIMEDOUT) {
        tell_failure(path, rule, error);
    } else if (error != ESRCH) { /* it did not run, or not to its end */
        budget_settle(request->claim, 0);
        atomic_fetch_sub(&waits, 1);
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
    block_tell_end_of_budget();
    return false;
}

void block_until_settled(struct store *store, const char *path, uint64_t began, int home)
{
    if (path == NULL || !block_may_wait(store, path))
        return;
    wait_by_rule(store, path, rules_get(atomic_load(&store->rule)), began, home);
    block_tell_end_of_budget();
}
