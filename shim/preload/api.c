#include "preload/api.h"

#include "base/clock.h"
#include "base/sys.h"
#include "config/rules.h"
#include "helper/helper.h"
#include "track/block.h"
#include "track/tell.h"
#include "wait/locate.h"
#include <settle.h>

#include <errno.h>

#define EXPORT __attribute__((visibility("default")))

static const struct settings *settings;

SYS_AT_START void api_start(const struct settings *s)
{
    settings = s;
}

/* What is asked for in ns, with NO_LIMIT for what is configured. */
struct limits {
    uint64_t max_wait;
    uint64_t check_interval;
};

struct request {
    char given[PATH_MAX];
    bool is_store; /* rather than a file */
    struct limits limits;
    const struct rule *rule;
    int error;
    struct wait_request wait;
    struct wait_result result;
    struct wait_holders holders;
    struct log_line line;
};

static bool take_seconds(double seconds, uint64_t *ns)
{
    if (!(seconds <= 86400)) /* so that what is no number is refused */
        return false;
    *ns = seconds < 0 ? NO_LIMIT : (uint64_t)(seconds * 1e9);
    return true;
}

static uint64_t or_configured(uint64_t given, uint64_t configured)
{
    return given == NO_LIMIT ? configured : given;
}

HELPER_STACK_BEGIN

/* Runs in the helper. */
static void work(void *argument)
{
    struct request *r = argument;
    struct wait_request *wait = &r->wait;
    r->error = r->is_store ? locate_store(r->given, wait->path, &wait->profile)
                           : locate_file_of_store(r->given, wait->path, &wait->profile);
    if (r->error != 0)
        return;
    r->rule = rules_get(rules_find(wait->path));
    wait->max_wait = or_configured(r->limits.max_wait, r->rule->max_wait);
    wait->deadline = wait->began + wait->max_wait;
    wait->check_interval = or_configured(r->limits.check_interval, r->rule->check_interval);
    wait->until = (enum until)r->rule->until;
    wait_store(wait, &r->result);
}

HELPER_STACK_END

static struct settle_result answer(struct request *r)
{
    struct settle_result result = {.settled = 0, .error = r->error};
    if (r->error != 0)
        return result;
    switch (r->result.outcome) {
    case OUTCOME_UNEXAMINED:
        result.error = r->result.error;
        return result;
    case OUTCOME_GONE:
        result.error = ENOENT;
        return result;
    case OUTCOME_SETTLED_AT_ONCE:
    case OUTCOME_HANDED_OVER:
    case OUTCOME_SETTLED_AFTER_WAITING:
        result.settled = 1;
        break;
    case OUTCOME_TIMED_OUT:
    case OUTCOME_REOPENED:
        break;
    }
    tell_result(&r->line, NULL, &r->wait, &r->result, r->rule);
    return result;
}

static struct settle_result run(struct helper *helper, struct request *r)
{
    if (log_wants(LOG_WARN))
        wait_name_holders(&r->wait, &r->holders);
    r->wait.max_collections = settings->max_collections;
    r->wait.max_files = settings->max_files;
    uint64_t longest = or_configured(r->limits.max_wait, rules_longest_wait());
    int error = helper_run(helper, work, r->wait.began + longest + BLOCK_PATIENCE);
    return error == 0 ? answer(r) : (struct settle_result){.error = error};
}

static struct settle_result wait_for(const char *path, bool is_store, struct limits limits,
                                     uint64_t began)
{
    if (path == NULL)
        return (struct settle_result){.error = EINVAL};
    struct helper *helper = helper_new(sizeof(struct request));
    if (helper == NULL)
        return (struct settle_result){.error = ENOMEM};
    struct request *r = helper_request(helper);
    r->is_store = is_store;
    r->limits = limits;
    r->wait.began = began;
    struct settle_result result = {.error = ENAMETOOLONG};
    if (str_copy(r->given, sizeof r->given, path))
        result = run(helper, r);
    helper_free(helper);
    return result;
}

static struct settle_result timed(struct settle_result result, uint64_t began)
{
    result.elapsed = (double)(clock_now() - began) / 1e9;
    return result;
}

EXPORT struct settle_result settle_wait_file(const char *path, double max_wait,
                                             double check_interval)
{
    uint64_t began = clock_now();
    struct limits limits;
    if (!take_seconds(max_wait, &limits.max_wait) ||
        !take_seconds(check_interval, &limits.check_interval))
        return timed((struct settle_result){.error = EINVAL}, began);
    return timed(wait_for(path, false, limits, began), began);
}

EXPORT struct settle_result settle_wait_store(const char *directory, double max_wait)
{
    uint64_t began = clock_now();
    struct limits limits = {.check_interval = NO_LIMIT};
    if (!take_seconds(max_wait, &limits.max_wait))
        return timed((struct settle_result){.error = EINVAL}, began);
    return timed(wait_for(directory, true, limits, began), began);
}
