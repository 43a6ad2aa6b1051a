#include "wait/wait.h"

#include "base/clock.h"
#include "base/lines.h"
#include "base/sys.h"
#include "base/text.h"
#include "wait/watch.h"

#include <dirent.h>
#include <string.h>

/* A wait shorter than this sets no watch: the back-off is as exact there, and the end of a watch
 * costs the process milliseconds. */
static const uint64_t watch_after = 2000000;

const uint64_t wait_lasts = 10000000;

const uint64_t wait_naming_limit = 50000000;

uint64_t wait_backoff(uint64_t since_start, uint64_t check_interval)
{
    const uint64_t shortest = 200000;
    uint64_t sleep = since_start / 10;
    if (sleep > check_interval)
        sleep = check_interval;
    return sleep > shortest ? sleep : shortest;
}

uint64_t wait_deaf(uint64_t last, uint64_t since_last, uint64_t backoff)
{
    const uint64_t shortest = 50000;
    const uint64_t not_long = 8 * last;
    uint64_t longest = since_last < not_long ? 2 * last : shortest;
    if (longest > backoff)
        longest = backoff;
    return longest / 2 + clock_now() % (longest / 2 + 1);
}

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
        .locks = true,
        .remote = result->remote,
        .until = request->until,
        .deadline = clock_now() + wait_naming_limit,
    };
    holders_find(request->holders, &question, &result->holder);
    result->holder = request->holders->list[0];
}

/* Asks once; false if there is nothing more to wait for. */
static bool ask(struct probe *probe, bool slept, struct wait_result *result)
{
    enum verdict verdict = probe_ask(probe);
    result->probes++;
    result->error = probe->error;
    result->reason = probe->reason;
    result->remote |= probe->remote;
    if (verdict == VERDICT_SETTLED)
        result->outcome = slept ? OUTCOME_SETTLED_AFTER_WAITING : OUTCOME_SETTLED_AT_ONCE;
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

/* Waits for a file of the store; adds to the counts in *result and sets its outcome. ending: of its
 * name after the request's path; NULL for a file whose outcome does not count, so that its holder
 * is not worth a name. */
static void wait_for(const struct wait_request *request, const char *path, struct identity identity,
                     const char *ending, struct wait_result *result)
{
    struct probe probe = probe_of(path, identity);
    struct watch watch = watch_none();
    uint64_t began = clock_now();
    uint64_t since = began;      /* the back-off's beginning */
    uint64_t last_event = began; /* when the last event woke us, */
    uint64_t deaf = 0;           /* and how long we were deaf for it */
    bool slept = false;
    bool woken = false;
    bool watched = false;
    const bool named = ending != NULL && request->lasting != NULL;
    struct seen seen = {.holder = {.hold = HOLD_NONE}};
    probe.until = request->until;
    probe.last = true;
    probe.fresh = request->fresh && path == request->path;

    for (;;) {
        if (!ask(&probe, slept, result))
            break;
        if (request->reopened != NULL && request->reopened(request->context)) {
            result->outcome = OUTCOME_REOPENED;
            break;
        }
        uint64_t now = clock_now();
        if (now >= request->deadline) {
            result->outcome = OUTCOME_TIMED_OUT;
            break;
        }
        if (named) {
            see(&seen, &probe.holder, ending);
            tell_of_holder(request, &seen, now - began);
        }
        if (!watched && now - began >= watch_after) {
            watched = true;
            watch_start(&watch, path);
            continue; /* what happened before the watch was set causes no event */
        }
        uint64_t sleep = woken ? deaf : wait_backoff(now - since, request->check_interval);
        if (sleep > request->deadline - now)
            sleep = request->deadline - now;
        if (woken) {
            sys_poll(-1, 0, sleep);
            woken = false;
        } else {
            /* each question at this level is an open and a close, and so an event */
            woken = request->until == UNTIL_CLOSED && watch_take(&watch) > watch_own_events(&watch);
            woken = woken || watch_sleep(&watch, sleep);
        }
        result->sleeps++;
        slept = true;
        if (woken) {
            result->events++;
            now = clock_now();
            deaf = wait_deaf(deaf, now - last_event,
                             wait_backoff(now - began, request->check_interval));
            last_event = now;
            since = now;
        }
    }
    probe_end(&probe);
    if (seen.holder.hold != HOLD_NONE)
        result->holder = seen.holder;
    if (result->outcome == OUTCOME_TIMED_OUT) {
        result->holder = probe.holder;
        result->holder.ending = ending != NULL ? ending : "";
        if (ending != NULL && request->holders != NULL)
            name_holders(request, result);
    }
    if (result->outcome == OUTCOME_TIMED_OUT || result->outcome == OUTCOME_UNEXAMINED)
        str_copy(result->file, sizeof result->file, path);
}

static const struct identity any = {0, 0};

static void begin_result(struct wait_result *result)
{
    memset(result, 0, offsetof(struct wait_result, file));
    result->outcome = OUTCOME_SETTLED_AT_ONCE;
    result->file[0] = result->secondary[0] = '\0';
}

void wait_file(const struct wait_request *request, struct wait_result *result)
{
    begin_result(result);
    wait_for(request, request->path, request->identity, "", result);
    result->elapsed = clock_now() - request->began;
}

/* --- the rest of a store --- */

static bool settled(enum outcome outcome)
{
    return outcome == OUTCOME_SETTLED_AT_ONCE || outcome == OUTCOME_SETTLED_AFTER_WAITING;
}

static void wait_sidecars(const struct wait_request *request, struct wait_result *result)
{
    bool waited = result->outcome == OUTCOME_SETTLED_AFTER_WAITING;
    for (int i = 0; sidecar_endings[i] != NULL && settled(result->outcome); i++) {
        char path[PATH_MAX];
        struct text t = text_in(path, sizeof path);
        text_str(&t, request->path);
        text_str(&t, sidecar_endings[i]);
        struct stat st;
        if (sys_stat(path, &st) < 0)
            continue;
        wait_for(request, path, any, sidecar_endings[i], result);
        if (result->outcome == OUTCOME_GONE) /* SQLite removes them, also under our eyes */
            result->outcome = OUTCOME_SETTLED_AT_ONCE;
        waited |= result->outcome == OUTCOME_SETTLED_AFTER_WAITING;
    }
    if (waited && result->outcome == OUTCOME_SETTLED_AT_ONCE)
        result->outcome = OUTCOME_SETTLED_AFTER_WAITING;
}

static void wait_secondary(const struct wait_request *request, const char *path,
                           struct wait_result *result)
{
    struct wait_result own;
    begin_result(&own);
    wait_for(request, path, any, NULL, &own);
    result->probes += own.probes;
    result->sleeps += own.sleeps;
    result->events += own.events;
    result->secondaries++;
    if (own.outcome == OUTCOME_TIMED_OUT) {
        result->secondaries_held++;
        str_copy(result->secondary, sizeof result->secondary, path);
    }
}

static bool join(char *out, size_t size, const char *directory, const char *name)
{
    struct text t = text_in(out, size);
    text_str(&t, directory);
    text_str(&t, "/");
    text_str(&t, name);
    return t.length + 1 < t.size;
}

/* Looks at one collection's files; returns false if it has none of the profile's. */
static bool wait_collection(const struct wait_request *request, const char *directory,
                            struct wait_result *result)
{
    struct listing listing;
    unsigned files = 0;
    if (listing_open(&listing, directory) < 0)
        return false;
    const struct entry *entry;
    while ((entry = listing_next(&listing)) != NULL) {
        char path[PATH_MAX];
        bool wanted = false;
        for (int i = 0; request->profile->secondaries[i] != NULL; i++)
            wanted |= str_ends_with(entry->name, request->profile->secondaries[i]);
        if (!wanted || !join(path, sizeof path, directory, entry->name))
            continue;
        if (request->max_files != 0 && files == request->max_files)
            break;
        files++;
        wait_secondary(request, path, result);
    }
    listing_close(&listing);
    return files > 0;
}

/* Where a directory's links are counted as its subdirectories', two are its own name and its
 * period; file systems that do not count them say 1. */
static bool has_no_collections(const char *directory, const struct wait_result *result)
{
    struct stat st;
    return !result->remote && sys_stat(directory, &st) == 0 && st.st_nlink == 2;
}

static void wait_secondaries(const struct wait_request *request, struct wait_result *result)
{
    char directory[PATH_MAX];
    struct listing listing;
    unsigned collections = 0;
    const char *slash = strrchr(request->path, '/');
    struct text t = text_in(directory, sizeof directory);
    if (slash == NULL)
        text_str(&t, ".");
    else
        text_bytes(&t, request->path, (size_t)(slash - request->path));
    const char *place = directory[0] == '\0' ? "/" : directory;
    if (has_no_collections(place, result) || listing_open(&listing, place) < 0)
        return;
    const struct entry *entry;
    while ((entry = listing_next(&listing)) != NULL) {
        char path[PATH_MAX];
        bool maybe = entry->type == DT_DIR || entry->type == DT_UNKNOWN;
        if (!maybe || entry->name[0] == '.' || !join(path, sizeof path, directory, entry->name))
            continue;
        if (request->max_collections != 0 && collections == request->max_collections)
            break;
        collections += wait_collection(request, path, result);
    }
    listing_close(&listing);
}

void wait_store(const struct wait_request *request, struct wait_result *result)
{
    wait_file(request, result);
    if (settled(result->outcome))
        wait_sidecars(request, result);
    if (settled(result->outcome) && request->profile != NULL &&
        request->profile->secondaries != NULL)
        wait_secondaries(request, result);
    result->elapsed = clock_now() - request->began;
}
