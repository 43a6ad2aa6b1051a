#include "track/history.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "config/rules.h"
#include "helper/record.h"
#include "holders/words.h"
#include "track/sum.h"
#include "track/track.h"

#include <errno.h>

static void add_store(struct record *r, const struct store *store)
{
    if (store == NULL)
        return;
    json_str(&r->json, "store", store_path(store));
    json_str(&r->json, "profile", store_profile(store)->name);
}

/* --- handles --- */

static void tell_opened_store(const struct store *store)
{
    struct record r;
    if (!record_begin(&r, "store opened"))
        return;
    add_store(&r, store);
    record_end(&r);
}

static void tell_handle(const char *event, int fd, const struct handle *h, const char *file)
{
    struct record r;
    if (!record_begin(&r, event))
        return;
    add_store(&r, h->store);
    json_int(&r.json, "fd", fd);
    json_str(&r.json, "role", role_names[h->role]);
    if (file != NULL)
        json_str(&r.json, "file", file);
    else
        json_bool(&r.json, "seen", false);
    if (h->store != NULL)
        json_int(&r.json, "handles", handle_count_of(h->store));
    record_end(&r);
}

static SYS_OWN_FRAME void tell_opened_handle(int fd, const struct handle *h)
{
    char *path = scratch_take();
    if (path != NULL)
        descriptor_path(fd, path, PATH_MAX);
    tell_handle("handle opened", fd, h, path == NULL ? "" : path);
    scratch_give(path);
}

void history_opened(int fd, const struct handle *h)
{
    if (h->store != NULL && handle_count_of(h->store) == 1) {
        sum_opened();
        record_used(store_path(h->store));
        tell_opened_store(h->store);
    }
    if (record_wanted())
        tell_opened_handle(fd, h);
}

void history_closed(int fd, const struct handle *h, const char *file)
{
    if (record_wanted())
        tell_handle("handle closed", fd, h, file);
}

/* --- waits --- */

static const char *outcome_name(const struct wait_result *result, int error)
{
    if (error == EINTR)
        return "interrupted";
    if (error != 0)
        return "cannot be examined";
    switch (result->outcome) {
    case OUTCOME_SETTLED_AT_ONCE:
        return "settled at once";
    case OUTCOME_HANDED_OVER:
        return "handed over";
    case OUTCOME_SETTLED_AFTER_WAITING:
        return "settled after waiting";
    case OUTCOME_TIMED_OUT:
        return "timed out";
    case OUTCOME_GONE:
        return "removed";
    case OUTCOME_REOPENED:
        return track_is_on() ? "opened again" : "interrupted";
    case OUTCOME_UNEXAMINED:
        break;
    }
    return "cannot be examined";
}

/* Of a use only those count that were not closed before it. */
static long handles_for(const struct store *store, const char *use)
{
    return use == NULL ? handle_count_of(store) : (long)handle_count_engine(store);
}

/* use: what the program does with the files; NULL: it closed the store. */
static bool begin_wait(struct record *r, struct lines *lines, const char *event,
                       const struct store *store, const char *path, uint64_t max_wait,
                       const char *use)
{
    if (!record_begin_in(r, use == NULL ? event : "store used", lines))
        return false;
    add_store(r, store);
    if (use != NULL)
        json_str(&r->json, "what", use);
    json_str(&r->json, "file", path);
    const struct rule *rule = rules_get(atomic_load(&store->rule));
    if (rule->name[0] != '\0')
        json_str(&r->json, "rule", rule->name);
    json_str(&r->json, "level", until_names[rule->until]);
    json_seconds(&r->json, "max_wait", max_wait);
    return true;
}

/* result: NULL where nothing was asked. */
static void add_end(struct record *r, const char *outcome, uint64_t elapsed,
                    const struct wait_result *result)
{
    json_str(&r->json, "outcome", outcome);
    json_seconds(&r->json, "elapsed", elapsed);
    const bool asked = result != NULL;
    json_int(&r->json, "probes", asked ? result->probes : 0);
    json_int(&r->json, "woken_by_event", asked ? result->events : 0);
    json_int(&r->json, "woken_by_backoff", asked ? result->sleeps - result->events : 0);
    json_list(&r->json, "holders");
}

void history_wait_begun(const struct store *store, const struct wait_request *request,
                        const struct block_cause *cause)
{
    struct record r;
    if (cause->use == NULL && begin_wait(&r, NULL, "wait begun", store, request->path,
                                         request->deadline - request->began, NULL))
        record_end(&r);
}

void history_wait_ended(struct lines *lines, const struct store *store,
                        const struct wait_request *request, const struct wait_result *result,
                        int error, uint64_t elapsed, const struct block_cause *cause)
{
    struct record r;
    const bool at_once = error == 0 && (result->outcome == OUTCOME_SETTLED_AT_ONCE ||
                                        result->outcome == OUTCOME_HANDED_OVER);
    const bool timed_out =
        error == ETIMEDOUT || (error == 0 && result->outcome == OUTCOME_TIMED_OUT);
    sum_ended(cause->use != NULL, !at_once, timed_out, elapsed);
    const bool given_up = result != NULL && result->given_up;
    uint64_t end = given_up ? request->enough : request->deadline;
    if (!begin_wait(&r, lines, "wait ended", store, request->path, end - request->began,
                    cause->use))
        return;
    add_end(&r, outcome_name(result, error), elapsed, result);
    bool named = result != NULL && request->holders != NULL;
    for (unsigned i = 0; named && i < request->holders->count; i++)
        holder_json(&r.json, &request->holders->list[i], request->path);
    json_end(&r.json, ']');
    json_int(&r.json, "handles", handles_for(store, cause->use));
    if (result != NULL && result->frames > 0)
        json_int(&r.json, "frames", result->frames);
    record_end(&r);
}

static void tell_unasked(const struct store *store, const char *path, const char *outcome,
                         uint64_t elapsed, const char *use)
{
    struct record r;
    if (!begin_wait(&r, NULL, "wait ended", store, path,
                    rules_get(atomic_load(&store->rule))->max_wait, use))
        return;
    add_end(&r, outcome, elapsed, NULL);
    json_end(&r.json, ']');
    json_int(&r.json, "handles", handles_for(store, use));
    record_end(&r);
}

void history_not_examined(const struct store *store, const char *path,
                          const struct block_cause *cause)
{
    const uint64_t elapsed = clock_now() - cause->began;
    sum_ended(cause->use != NULL, true, false, elapsed);
    tell_unasked(store, path, "cannot be examined", elapsed, cause->use);
}

void history_budget_spent(const struct store *store, const char *path)
{
    sum_ended(false, false, false, 0);
    tell_unasked(store, path, "budget spent", 0, NULL);
}

void history_used(const struct store *store, const struct block_cause *cause, const char *outcome)
{
    const uint64_t elapsed = clock_now() - cause->began;
    sum_ended(true, str_equal(outcome, "settled after waiting"), false, elapsed);
    if (record_wanted())
        tell_unasked(store, store_path(store), outcome, elapsed, cause->use);
}

void history_exit(const struct summary *s)
{
    struct record r;
    if (!record_begin(&r, "exit"))
        return;
    json_int(&r.json, "handles", handle_count());
    json_int(&r.json, "stores", s->stores);
    json_int(&r.json, "closes", s->closes);
    json_int(&r.json, "uses", s->uses);
    json_int(&r.json, "waited", s->waited);
    json_int(&r.json, "timed_out", s->timed_out);
    json_int(&r.json, "never_closed", s->never_closed);
    json_seconds(&r.json, "elapsed", s->elapsed);
    json_seconds(&r.json, "longest", s->longest);
    if (s->database[0] != '\0')
        json_str(&r.json, "database", s->database);
    if (s->directory[0] != '\0')
        json_str(&r.json, "directory", s->directory);
    record_end(&r);
}
