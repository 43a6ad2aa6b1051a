#include "track/tell.h"

#include "holders/words.h"
#include "track/budget.h"

#include <errno.h>
#include <stdatomic.h>

static void say_counts(struct text *t, const struct wait_result *r)
{
    text_str(t, "probes=");
    text_int(t, r->probes);
    text_str(t, " sleeps=");
    text_int(t, r->sleeps);
    text_str(t, " events=");
    text_int(t, r->events);
}

/* Where a wait had less than its max_wait: the effective limit. */
static void say_limit(struct text *t, const struct wait_request *wait, const struct wait_result *r)
{
    uint64_t limit = (r->given_up ? wait->enough : wait->deadline) - wait->began;
    if (limit >= wait->max_wait)
        return;
    text_str(t, " (limit ");
    text_seconds(t, limit);
    text_str(t, " instead of ");
    text_seconds(t, wait->max_wait);
    text_str(t, ")");
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
    case OUTCOME_HANDED_OVER:
        text_path(t, path);
        text_str(t, ": this process had it to itself, whoever has it now came later; nothing to "
                    "wait for");
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
        say_limit(t, wait, r);
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
        if (r->holder.hold != HOLD_NONE) {
            text_str(t, "; when it was closed, held by ");
            holder_describe(t, &r->holder);
        }
        break;
    case OUTCOME_GONE:
        text_path(t, path);
        text_str(t, ": removed or replaced, nothing to wait for");
        break;
    case OUTCOME_REOPENED:
        text_path(t, path);
        text_str(t, wait->writers ? ": locked by this process itself after "
                                  : ": opened again by this process after ");
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
    case OUTCOME_HANDED_OVER:
        return LOG_DEBUG;
    case OUTCOME_SETTLED_AFTER_WAITING:
    case OUTCOME_REOPENED:
        return LOG_INFO;
    case OUTCOME_GONE:
        return profile == NULL || profile->by_content || profile->beside[0] != '\0' ||
                       result->sleeps > 0
                   ? LOG_INFO
                   : LOG_WARN;
    case OUTCOME_TIMED_OUT: /* one who is known by now is told of once (tell_given_up) */
        return result->given_up ? LOG_INFO : LOG_WARN;
    case OUTCOME_UNEXAMINED:
        break;
    }
    return LOG_WARN;
}

void tell_result(struct log_line *line, struct lines *lines, const struct wait_request *wait,
                 const struct wait_result *r, const struct rule *rule)
{
    enum log_level level = level_of(r, wait->profile);
    if (log_wants(level)) {
        log_begin_in(line, level, lines);
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
        !atomic_exchange(&told_of_host, true)) {
        log_begin_in(line, LOG_WARN, lines);
        text_path(&line->text, wait->path);
        text_str(&line->text,
                 ": on a file system of another host, where only this host's opens are seen");
        log_end(line);
    }
    if (r->secondaries_held > 0 && log_wants(LOG_INFO)) {
        log_begin_in(line, LOG_INFO, lines);
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

void tell_frames(struct log_line *line, const struct wait_request *wait, long frames)
{
    if (!log_wants(LOG_WARN))
        return;
    log_begin(line, LOG_WARN);
    text_path(&line->text, wait->path);
    text_str(&line->text, ": closed by all, but its -wal has ");
    text_int(&line->text, frames);
    text_str(&line->text, frames == 1 ? " frame" : " frames");
    text_str(&line->text, " that the database has not, and a copy of the main file alone would "
                          "lack; settle-wait --checkpoint folds them in");
    log_end(line);
}

/* What is in the way of one wait is in that of the next: one warning will do. */
static enum log_level level_of_failure(int error)
{
    static _Atomic int said;
    return atomic_exchange(&said, error) == error ? LOG_INFO : LOG_WARN;
}

void tell_failure(const char *path, const struct rule *rule, int error)
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

void tell_interrupted(const char *path, const struct rule *rule, uint64_t elapsed)
{
    if (!log_wants(LOG_WARN))
        return;
    struct log_line line;
    log_begin(&line, LOG_WARN);
    text_path(&line.text, path);
    text_str(&line.text, ": not known to be unlocked: SIGINT or SIGTERM ended the wait after ");
    text_seconds(&line.text, elapsed);
    say_rule(&line.text, rule);
    log_end(&line);
}

void tell_given_up(const struct wait_request *wait, const struct wait_result *result,
                   bool outlasted)
{
    if (!log_wants(LOG_WARN))
        return;
    struct log_line line;
    log_begin(&line, LOG_WARN);
    text_path(&line.text, wait->path);
    text_str(&line.text, ": while the same holder only keeps it open, closes wait ");
    text_seconds(&line.text, wait->enough - wait->began);
    text_str(&line.text, " instead of ");
    text_seconds(&line.text, wait->max_wait);
    text_str(&line.text, outlasted ? ", since it outlasted a whole wait: "
                                   : ", since it waits itself for this process: ");
    holder_describe(&line.text, &result->holder);
    log_end(&line);
}

void tell_waits_in_vain(uint64_t delay)
{
    if (!log_wants(LOG_WARN))
        return;
    struct log_line line;
    log_begin(&line, LOG_WARN);
    text_str(&line.text, "waits in vain have taken twice max_wait: those that follow end after ");
    text_seconds(&line.text, delay);
    text_str(&line.text, ", until 30 s have passed without one");
    log_end(&line);
}

static bool tells_past(void)
{
    static atomic_bool told;
    return log_wants(LOG_WARN) && !atomic_exchange(&told, true);
}

void tell_missed(const char *path)
{
    if (tells_past())
        log_say_path(LOG_WARN, path,
                     "was closed past this library, by another one that is before it in "
                     "LD_PRELOAD or calls libc directly, or by a system call of the program's own: "
                     "no such close waits; start settle last, as in: torsocks settle COMMAND");
}

void tell_past(const char *what)
{
    if (!tells_past())
        return;
    char message[320];
    struct text t = text_in(message, sizeof message);
    text_str(&t, "SQLite's files are ");
    text_str(&t, what);
    text_str(&t, " past this library, by another one that is before it in LD_PRELOAD or calls libc "
                 "directly: only sqlite3_close waits, and no close of other descriptors; start "
                 "settle last, as in: torsocks settle COMMAND");
    log_say(LOG_WARN, message);
}

void tell_end_of_budget(void)
{
    if (!budget_ends_now() || !log_wants(LOG_WARN))
        return;
    struct log_line line;
    log_begin(&line, LOG_WARN);
    text_str(&line.text, "the ");
    text_seconds(&line.text, budget_total());
    text_str(&line.text, " of SETTLE_TOTAL_WAIT are spent: closes no longer wait");
    log_end(&line);
}
