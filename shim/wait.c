#include "wait.h"

#include "sys.h"
#include "text.h"
#include "watch.h"

#include <dirent.h>
#include <string.h>

/* A wait shorter than this sets no watch: the back-off is as exact there, and the end of a watch
 * costs the process milliseconds. */
static const uint64_t watch_after = 2000000;

uint64_t wait_backoff(uint64_t since_start, uint64_t check_interval)
{
    const uint64_t shortest = 200000;
    uint64_t sleep = since_start / 10;
    if (sleep > check_interval)
        sleep = check_interval;
    return sleep > shortest ? sleep : shortest;
}

/* Waits for a file of the store; adds to the counts in *result and sets its outcome. decides:
 * whether the outcome counts, so that its holder is worth a name. */
static void wait_for(const struct wait_request *request, const char *path, struct identity identity,
                     bool decides, struct wait_result *result)
{
    /* After an event the holder is usually microseconds from being done (watch.h). */
    const uint64_t after_event = 50000;
    struct probe probe = probe_of(path, identity);
    struct watch watch = watch_none();
    uint64_t began = sys_now();
    uint64_t since = began;
    bool slept = false;
    bool woken = false;
    bool watched = false;

    for (;;) {
        enum verdict verdict = probe_ask(&probe);
        result->probes++;
        result->error = probe.error;
        if (verdict == VERDICT_SETTLED)
            result->outcome = slept ? OUTCOME_SETTLED_AFTER_WAITING : OUTCOME_SETTLED_AT_ONCE;
        else if (verdict == VERDICT_GONE)
            result->outcome = OUTCOME_GONE;
        else if (verdict == VERDICT_UNEXAMINED)
            result->outcome = OUTCOME_UNEXAMINED;
        if (verdict != VERDICT_HELD)
            break;

        if (request->reopened != NULL && request->reopened(request->context)) {
            result->outcome = OUTCOME_REOPENED;
            break;
        }
        uint64_t now = sys_now();
        if (now >= request->deadline) {
            result->outcome = OUTCOME_TIMED_OUT;
            if (decides && request->name_holder)
                probe_name_holder(&probe);
            result->holder = probe.holder;
            break;
        }
        if (!watched && now - began >= watch_after) {
            watched = true;
            watch_start(&watch, path);
            continue; /* what happened before the watch was set causes no event */
        }
        uint64_t sleep = woken ? after_event : wait_backoff(now - since, request->check_interval);
        if (sleep > request->deadline - now)
            sleep = request->deadline - now;
        if (woken) {
            sys_poll(-1, 0, sleep); /* deaf to events, so that a storm of them costs little */
            woken = false;
        } else {
            woken = watch_sleep(&watch, sleep);
        }
        result->sleeps++;
        slept = true;
        if (woken) {
            result->events++;
            since = sys_now();
        }
    }
    if (result->outcome == OUTCOME_TIMED_OUT || result->outcome == OUTCOME_UNEXAMINED)
        str_copy(result->file, sizeof result->file, path);
    probe_end(&probe);
}

static const struct identity any = {0, 0};

void wait_file(const struct wait_request *request, struct wait_result *result)
{
    *result = (struct wait_result){.outcome = OUTCOME_SETTLED_AT_ONCE};
    wait_for(request, request->path, request->identity, true, result);
    result->elapsed = sys_now() - request->began;
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
        wait_for(request, path, any, true, result);
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
    struct wait_result own = {.outcome = OUTCOME_SETTLED_AT_ONCE};
    wait_for(request, path, any, false, &own);
    result->probes += own.probes;
    result->sleeps += own.sleeps;
    result->events += own.events;
    result->secondaries++;
    if (own.outcome == OUTCOME_TIMED_OUT) {
        result->secondaries_held++;
        str_copy(result->secondary, sizeof result->secondary, path);
    }
}

/* Entries of a directory, one at a time, without opendir's allocation. */
struct listing {
    int fd;
    long at, length;
    _Alignas(uint64_t) char buffer[2048];
};

struct entry { /* getdents64(2) */
    uint64_t ino;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

static bool listing_open(struct listing *l, const char *path)
{
    l->at = l->length = 0;
    l->fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK, 0);
    return l->fd >= 0;
}

static const struct entry *listing_next(struct listing *l)
{
    if (l->at >= l->length) {
        l->length = sys_getdents(l->fd, l->buffer, sizeof l->buffer);
        l->at = 0;
        if (l->length <= 0)
            return NULL;
    }
    const struct entry *entry = (const void *)(l->buffer + l->at);
    l->at += entry->length;
    return entry;
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
    if (!listing_open(&listing, directory))
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
    sys_close(listing.fd);
    return files > 0;
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
    if (!listing_open(&listing, directory[0] == '\0' ? "/" : directory))
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
    sys_close(listing.fd);
}

void wait_store(const struct wait_request *request, struct wait_result *result)
{
    wait_file(request, result);
    if (settled(result->outcome))
        wait_sidecars(request, result);
    if (settled(result->outcome) && request->profile != NULL &&
        request->profile->secondaries != NULL)
        wait_secondaries(request, result);
    result->elapsed = sys_now() - request->began;
}
