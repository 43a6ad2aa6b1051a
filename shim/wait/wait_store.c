#include "base/clock.h"
#include "base/path.h"
#include "base/sys.h"
#include "base/text.h"
#include "wait/secondaries.h"
#include "wait/wait.h"
#include "wait/wait_one.h"
#include "wait/wal.h"

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

void wait_store(const struct wait_request *request, struct wait_result *result)
{
    wait_begin_result(result);
    if (request->asked)
        result->probes = 1;
    else
        wait_for(request, request->path, request->identity, "", result);
    if (settled(result->outcome))
        wait_sidecars(request, result);
    if (settled(result->outcome) && request->profile != NULL &&
        profile_secondary(request->profile, 0) != NULL)
        secondaries_wait(request, result);
    result->elapsed = clock_now() - request->began;
}
