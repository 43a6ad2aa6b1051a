#include "wait/secondaries.h"

#include "base/listing.h"
#include "base/path.h"
#include "base/sys.h"
#include "base/text.h"
#include "wait/wait_one.h"

#include <dirent.h>

static const struct identity any = {0, 0};

/* A directory of index files. What lies in it is asked for by its name in a directory that is open.
 */
struct collection {
    struct listing listing;
    uint64_t device; /* as in struct probe */
    struct file_system on;
    unsigned usual; /* so many of the usual names have been asked for */
    unsigned files;
    char path[PATH_MAX];
};

/* One question, of most files the only one: five system calls instead of the seven of a wait. */
static bool is_free(const struct wait_request *request, struct collection *c, int directory,
                    const char *name)
{
    if (request->until != UNTIL_UNLOCKED)
        return false;
    struct probe p = probe_of(name, any);
    p.directory = directory;
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

/* One of a collection, by its name in it and in the directory that is open. */
static void wait_file_of(const struct wait_request *request, struct collection *c, int directory,
                         const char *there, const char *name, bool is_regular,
                         struct wait_result *result)
{
    char path[PATH_MAX];
    c->files++;
    result->secondaries++;
    if (is_regular && is_free(request, c, directory, there))
        result->probes++;
    else if (path_join(path, sizeof path, c->path, name))
        wait_secondary(request, path, result);
}

static bool is_enough(const struct wait_request *request, const struct collection *c)
{
    return request->max_files != 0 && c->files == request->max_files;
}

/* By their usual names, as far as all of these are there, and no more than these are to be asked
 * for: who watches the collection's directory sees no listing of it. */
static void wait_usual(const struct wait_request *request, int store, const char *collection,
                       struct collection *c, struct wait_result *result)
{
    const unsigned all = sizeof request->profile->usual / sizeof request->profile->usual[0];
    const char *name;
    if (request->max_files == 0 || request->max_files > all)
        return;
    while (!is_enough(request, c) &&
           (name = profile_usual(request->profile, (int)c->usual)) != NULL) {
        char there[NAME_MAX + 1 + sizeof request->profile->usual[0]];
        struct stat st;
        if (!path_join(there, sizeof there, collection, name) ||
            sys_fstatat(store, there, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return;
        c->usual++;
        wait_file_of(request, c, store, there, name, S_ISREG(st.st_mode), result);
    }
}

static bool was_asked(const struct profile *profile, const struct collection *c, const char *name)
{
    for (unsigned i = 0; i < c->usual; i++)
        if (str_equal(name, profile_usual(profile, (int)i)))
            return true;
    return false;
}

static void wait_listed(const struct wait_request *request, int store, const char *collection,
                        struct collection *c, struct wait_result *result)
{
    if (is_enough(request, c) || listing_open_at(&c->listing, store, collection) < 0)
        return;
    const struct entry *entry;
    while (!is_enough(request, c) && (entry = listing_next(&c->listing)) != NULL)
        if (profile_is_secondary(request->profile, entry->name) &&
            !was_asked(request->profile, c, entry->name))
            wait_file_of(request, c, c->listing.fd, entry->name, entry->name, entry->type == DT_REG,
                         result);
    listing_close(&c->listing);
}

/* Looks at one collection's files; returns false if it has none of the profile's. */
static bool wait_collection(const struct wait_request *request, int store, const char *name,
                            struct collection *c, struct wait_result *result)
{
    c->usual = c->files = 0;
    wait_usual(request, store, name, c, result);
    wait_listed(request, store, name, c, result);
    return c->files > 0;
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
    if ((!result->remote && listing_has_no_directories(directory)) ||
        listing_open(&listing, directory) < 0)
        return;
    const struct entry *entry;
    while ((entry = listing_next(&listing)) != NULL) {
        bool maybe = entry->type == DT_DIR || entry->type == DT_UNKNOWN;
        if (!maybe || entry->name[0] == '.' ||
            !path_join(collection.path, sizeof collection.path, directory, entry->name))
            continue;
        if (request->max_collections != 0 && collections == request->max_collections)
            break;
        collections += wait_collection(request, listing.fd, entry->name, &collection, result);
    }
    listing_close(&listing);
}
