#include "base/clock.h"
#include "base/lines.h"
#include "base/path.h"
#include "base/sys.h"
#include "base/text.h"
#include "wait/wait.h"
#include "wait/wait_one.h"
#include "wait/wal.h"

#include <dirent.h>
#include <string.h>

static const struct identity any = {0, 0};

static bool settled(enum outcome outcome)
{
    return outcome == OUTCOME_SETTLED_AT_ONCE || outcome == OUTCOME_SETTLED_AFTER_WAITING ||
           outcome == OUTCOME_HANDED_OVER;
}

/* Whoever closes last folds them in, unless he may only read, was told not to, or two close at the
 * same moment. Where there is much of it, this finds a part in the time that a message may take. */
static void look_for_frames(const struct wait_request *request, struct wait_result *result)
{
    const uint64_t limit = clock_now() + wait_naming_limit;
    const uint64_t deadline = limit < request->deadline ? limit : request->deadline;
    const long frames = wal_frames_missing(request->path, deadline);
    if (frames > 0 && !wal_is_connected(request->path))
        result->frames = frames;
}

static void wait_sidecars(const struct wait_request *request, struct wait_result *result)
{
    bool waited = result->outcome == OUTCOME_SETTLED_AFTER_WAITING;
    bool handed_over = result->outcome == OUTCOME_HANDED_OVER;
    bool frames = false;
    const char *ending;
    for (int i = 0;
         (ending = profile_sidecar(request->profile, i)) != NULL && settled(result->outcome); i++) {
        char path[PATH_MAX];
        struct stat st;
        if (!path_beside(path, sizeof path, request->path, ending) || sys_stat(path, &st) < 0)
            continue;
        frames |= str_equal(ending, "-wal") && st.st_size > WAL_EMPTY;
        wait_for(request, path, any, ending, result);
        if (result->outcome == OUTCOME_GONE) /* they are removed, also under our eyes */
            result->outcome = OUTCOME_SETTLED_AT_ONCE;
        waited |= result->outcome == OUTCOME_SETTLED_AFTER_WAITING;
        handed_over |= result->outcome == OUTCOME_HANDED_OVER;
    }
    if (handed_over && result->outcome == OUTCOME_SETTLED_AT_ONCE)
        result->outcome = OUTCOME_HANDED_OVER;
    if (waited && settled(result->outcome))
        result->outcome = OUTCOME_SETTLED_AFTER_WAITING;
    if (frames && request->frames && settled(result->outcome))
        look_for_frames(request, result);
}

static void wait_secondary(const struct wait_request *request, const char *path,
                           struct wait_result *result)
{
    struct wait_result own;
    wait_begin_result(&own);
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
        const char *ending;
        for (int i = 0; (ending = profile_secondary(request->profile, i)) != NULL; i++)
            wanted |= str_ends_with(entry->name, ending);
        if (!wanted || !path_join(path, sizeof path, directory, entry->name))
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
    if (!path_directory(directory, sizeof directory, request->path))
        return;
    if (has_no_collections(directory, result) || listing_open(&listing, directory) < 0)
        return;
    const struct entry *entry;
    while ((entry = listing_next(&listing)) != NULL) {
        char path[PATH_MAX];
        bool maybe = entry->type == DT_DIR || entry->type == DT_UNKNOWN;
        if (!maybe || entry->name[0] == '.' ||
            !path_join(path, sizeof path, directory, entry->name))
            continue;
        if (request->max_collections != 0 && collections == request->max_collections)
            break;
        collections += wait_collection(request, path, result);
    }
    listing_close(&listing);
}

void wait_store(const struct wait_request *request, struct wait_result *result)
{
    wait_begin_result(result);
    wait_for(request, request->path, request->identity, "", result);
    if (settled(result->outcome))
        wait_sidecars(request, result);
    if (settled(result->outcome) && request->profile != NULL &&
        profile_secondary(request->profile, 0) != NULL)
        wait_secondaries(request, result);
    result->elapsed = clock_now() - request->began;
}
