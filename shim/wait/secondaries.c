#include "wait/secondaries.h"

#include "base/lines.h"
#include "base/path.h"
#include "base/sys.h"
#include "base/text.h"
#include "wait/wait_one.h"

#include <dirent.h>

static const struct identity any = {0, 0};

/* A directory of index files. What lies in it is asked for by its name alone. */
struct collection {
    struct listing listing;
    uint64_t device; /* as in struct probe */
    struct file_system on;
    char path[PATH_MAX];
};

/* One question, of most files the only one: five system calls instead of the seven of a wait. */
static bool is_free(const struct wait_request *request, struct collection *c,
                    const struct entry *entry)
{
    if (request->until != UNTIL_UNLOCKED || entry->type != DT_REG)
        return false;
    struct probe p = probe_of(entry->name, any);
    p.directory = c->listing.fd;
    p.device = c->device;
    p.on = c->on;
    p.fresh = p.last = true;
    const bool free = probe_ask(&p) == VERDICT_SETTLED;
    probe_end(&p);
    c->device = p.device;
    c->on = p.on;
    return free;
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
    if (own.outcome == OUTCOME_TIMED_OUT) {
        result->secondaries_held++;
        str_copy(result->secondary, sizeof result->secondary, path);
    }
}

static bool is_index(const struct profile *profile, const char *name)
{
    const char *ending;
    for (int i = 0; (ending = profile_secondary(profile, i)) != NULL; i++)
        if (str_ends_with(name, ending))
            return true;
    return false;
}

/* Looks at one collection's files; returns false if it has none of the profile's. */
static bool wait_collection(const struct wait_request *request, int directory,
                            const struct entry *of, struct collection *c,
                            struct wait_result *result)
{
    unsigned files = 0;
    if (listing_open_at(&c->listing, directory, of->name) < 0)
        return false;
    const struct entry *entry;
    while ((entry = listing_next(&c->listing)) != NULL) {
        char path[PATH_MAX];
        if (!is_index(request->profile, entry->name))
            continue;
        if (request->max_files != 0 && files == request->max_files)
            break;
        files++;
        result->secondaries++;
        if (is_free(request, c, entry))
            result->probes++;
        else if (path_join(path, sizeof path, c->path, entry->name))
            wait_secondary(request, path, result);
    }
    listing_close(&c->listing);
    return files > 0;
}

/* Where a directory's links are counted as its subdirectories', two are its own name and its
 * period; file systems that do not count them say 1. */
static bool has_no_collections(const char *directory, const struct wait_result *result)
{
    struct stat st;
    return !result->remote && sys_stat(directory, &st) == 0 && st.st_nlink == 2;
}

void secondaries_wait(const struct wait_request *request, struct wait_result *result)
{
    char directory[PATH_MAX];
    struct listing listing;
    struct collection collection;
    unsigned collections = 0;
    collection.device = 0;
    if (!path_directory(directory, sizeof directory, request->path))
        return;
    if (has_no_collections(directory, result) || listing_open(&listing, directory) < 0)
        return;
    const struct entry *entry;
    while ((entry = listing_next(&listing)) != NULL) {
        bool maybe = entry->type == DT_DIR || entry->type == DT_UNKNOWN;
        if (!maybe || entry->name[0] == '.' ||
            !path_join(collection.path, sizeof collection.path, directory, entry->name))
            continue;
        if (request->max_collections != 0 && collections == request->max_collections)
            break;
        collections += wait_collection(request, listing.fd, entry, &collection, result);
    }
    listing_close(&listing);
}
