#include "track/sum.h"

#include "base/descriptor.h"
#include "base/path.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "config/profile.h"
#include "config/summary.h"
#include "helper/log.h"
#include "helper/record.h"
#include "track/books.h"
#include "track/handle.h"
#include "track/history.h"
#include "track/process.h"
#include "track/recognise.h"
#include "track/store.h"

#include <string.h>

static struct sum_books *const own = &BOOKS.sum;
static const struct settings *settings;
static int began; /* the process that this program began in */
/* Made once there is something to note: a process may have all of its memory locked. Each is valid
 * where the books say that it is written. */
struct passed_over {
    char database[PATH_MAX], directory[PATH_MAX];
};
static void *_Atomic passed_over;

static struct passed_over *noted(void)
{
    return atomic_load(&passed_over);
}

SYS_AT_START void sum_start(const struct settings *s)
{
    settings = s;
    began = sum_wanted() ? process_of_thread() : 0;
}

static bool is_line_wanted(void)
{
    return settings->summary == SUMMARY_ON || log_wants(LOG_INFO);
}

SYS_AT_START bool sum_wanted(void)
{
    return settings != NULL && (is_line_wanted() || record_wanted());
}

bool sum_is_of_interest(void)
{
    return process_home() == began || atomic_load(&own->stores) > 0;
}

/* --- what was done --- */

void sum_opened(void)
{
    atomic_fetch_add(&own->stores, 1);
}

void sum_ended(bool is_use, bool waited, bool timed_out, uint64_t elapsed)
{
    atomic_fetch_add(is_use ? &own->uses : &own->closes, 1);
    if (!waited)
        return;
    atomic_fetch_add(&own->waited, 1);
    atomic_fetch_add(&own->timed_out, timed_out);
    atomic_fetch_add(&own->elapsed, elapsed);
    uint64_t longest = atomic_load(&own->longest);
    while (elapsed > longest && !atomic_compare_exchange_weak(&own->longest, &longest, elapsed))
        ;
}

/* --- what was passed over --- */

static void note(_Atomic uint32_t *state, char *out, const char *path)
{
    uint32_t none = SUM_NONE;
    if (!atomic_compare_exchange_strong(state, &none, SUM_BEING_WRITTEN))
        return;
    str_copy(out, PATH_MAX, path);
    atomic_store(state, SUM_WRITTEN);
}

void sum_strange_database(const char *path)
{
    if (sum_wanted() && !recognise_databases() && process_publish(&passed_over, sizeof *noted()))
        note(&own->database, noted()->database, path);
}

/* Whether a user may have meant it: the system's own directories have no stores. */
static bool is_place_of_stores(const char *path)
{
    static const char *const others[] = {"/proc/", "/sys/", "/dev/"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strncmp(path, others[i], strlen(others[i])) == 0)
            return false;
    return path[0] == '/';
}

static void note_directory(char *path)
{
    path_cut(path);
    if (process_publish(&passed_over, sizeof *noted()))
        note(&own->directory, noted()->directory, path);
}

void sum_stranger(int fd, const struct stat *st)
{
    if (!S_ISREG(st->st_mode) || !sum_wanted() || st->st_nlink == 0 ||
        atomic_load(&own->database) != SUM_NONE)
        return;
    const int flags = sys_fcntl(fd, F_GETFL, 0);
    if (flags < 0 || (flags & O_ACCMODE) != O_RDWR)
        return;
    char *path = scratch_take();
    if (path == NULL)
        return;
    descriptor_path(fd, path, PATH_MAX);
    bool is_database = is_place_of_stores(path) && descriptor_is_database(fd, st->st_size);
    if (is_database)
        sum_strange_database(path);
    else if (is_place_of_stores(path) && atomic_load(&own->directory) == SUM_NONE)
        note_directory(path);
    scratch_give(path);
}

/* --- telling --- */

static uint32_t count_open(void)
{
    uint32_t open = 0;
    struct store *store;
    for (uint32_t at = 0; (store = store_next(&at, NULL)) != NULL;) {
        open += handle_count_engine(store) > 0;
        store_release(store);
    }
    return open;
}

static void take_path(char *out, _Atomic uint32_t *state, const char *path)
{
    out[0] = '\0';
    if (atomic_load(state) == SUM_WRITTEN)
        str_copy(out, PATH_MAX, path);
}

static void sum_up(struct summary *s)
{
    s->stores = atomic_load(&own->stores);
    s->closes = atomic_load(&own->closes);
    s->uses = atomic_load(&own->uses);
    s->waited = atomic_load(&own->waited);
    s->timed_out = atomic_load(&own->timed_out);
    s->elapsed = atomic_load(&own->elapsed);
    s->longest = atomic_load(&own->longest);
    s->never_closed = count_open();
    const struct passed_over *in = noted();
    take_path(s->database, &own->database, in == NULL ? "" : in->database);
    take_path(s->directory, &own->directory, in == NULL ? "" : in->directory);
}

static void tell_line(const struct summary *s)
{
    struct log_line line;
    log_begin(&line, LOG_INFO);
    text_str(&line.text, "summary: ");
    summary_words(&line.text, s, settings->stores, settings->dirs);
    log_end(&line);
}

/* For settle-run, which tells of all processes together. */
static void tell_settle_run(const struct summary *s)
{
    char *all = scratch_take(); /* two paths and some numbers */
    if (all == NULL)
        return;
    struct text t = text_in(all, SCRATCH_SIZE);
    summary_write(&t, s);
    record_used(all);
    scratch_give(all);
}
_Static_assert(sizeof(struct summary) <= SCRATCH_SIZE, "it has room");

/* In memory of its own; NULL if there is none. */
static struct summary *take_summary(void)
{
    struct summary *summary = scratch_take();
    if (summary != NULL)
        sum_up(summary);
    return summary;
}

void sum_tell(void)
{
    if (atomic_exchange(&own->told, 1) != 0)
        return;
    struct summary *summary = take_summary();
    if (summary == NULL)
        return;
    history_exit(summary);
    if (settings->summary == SUMMARY_ON && record_lists_used())
        tell_settle_run(summary);
    else if (is_line_wanted() && atomic_load(&own->told_early) == 0)
        tell_line(summary);
    scratch_give(summary);
}

void sum_tell_early(void)
{
    bool elsewhere =
        settings->log_file[0] != '\0' || (settings->summary == SUMMARY_ON && record_lists_used());
    if (!is_line_wanted() || elsewhere || atomic_exchange(&own->told_early, 1) != 0)
        return;
    struct summary *summary = take_summary();
    if (summary != NULL)
        tell_line(summary);
    scratch_give(summary);
}
