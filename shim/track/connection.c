#include "track/connection.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/sys.h"
#include "config/rules.h"
#include "helper/helper.h"
#include "helper/interruption.h"
#include "helper/log.h"
#include "holders/proc.h"
#include "track/block.h"
#include "track/budget.h"
#include "track/closed.h"
#include "track/handle.h"
#include "track/opened.h"
#include "track/process.h"
#include "track/sum.h"
#include "track/tell.h"
#include "track/track.h"
#include "track/vain.h"
#include "wait/pace.h"
#include "wait/wait.h"

#include <string.h>

/* A connection that finds no place is not known: no zombie of it is waited for. */
enum { CONNECTIONS = 4096, WINDOW = 64 };

static struct connection {
    void *_Atomic db; /* NULL: free; &being_changed */
    struct store *store;
    bool unseen;
    int home; /* the process that opened it: a fork child inherits the connections of its parent */
    struct sqlite_calls calls;
} * _Atomic places;

static char being_changed;

static struct connection *entry_of(void *db, unsigned i)
{
    return &atomic_load(&places)[((uintptr_t)db / 64 + i) % CONNECTIONS];
}

/* Takes the pin on the store over. */
static void put(void *db, struct store *store, bool unseen, const struct sqlite_calls *calls)
{
    for (unsigned i = 0; i < WINDOW; i++) {
        struct connection *place = entry_of(db, i);
        void *none = NULL;
        if (!atomic_compare_exchange_strong(&place->db, &none, &being_changed))
            continue;
        place->store = store;
        place->unseen = unseen;
        place->home = process_home();
        place->calls = *calls;
        if (store != NULL)
            atomic_fetch_add(&store->connections, 1);
        atomic_store(&place->db, db);
        return;
    }
    if (store != NULL)
        store_release(store);
}

static bool take(void *db, struct leaving *l)
{
    for (unsigned i = 0; atomic_load(&places) != NULL && i < WINDOW; i++) {
        struct connection *place = entry_of(db, i);
        void *expected = db;
        if (atomic_load(&place->db) != db ||
            !atomic_compare_exchange_strong(&place->db, &expected, &being_changed))
            continue;
        l->calls = place->calls;
        l->opener = place->home;
        if (place->home == process_home()) {
            l->store = place->store;
            l->unseen = place->unseen;
        }
        if (l->store != NULL)
            atomic_fetch_sub(&l->store->connections, 1);
        atomic_store(&place->db, NULL);
        return true;
    }
    return false;
}

/* One that is no more, though nobody saw it closed: the program asked for the function by dlsym, or
 * SQLite has been unloaded. */
static void forget(void *db)
{
    struct leaving gone = {.known = false, .store = NULL};
    if (take(db, &gone) && gone.store != NULL)
        store_release(gone.store);
}

void connection_forget_unloaded(bool (*is_loaded)(const void *close_function))
{
    const void *asked = NULL;
    bool loaded = true;
    if (atomic_load(&places) == NULL || !process_at_home())
        return;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct connection *place = &atomic_load(&places)[i];
        void *db = atomic_load(&place->db);
        const void *function = (const void *)place->calls.close;
        if (db == NULL || db == &being_changed || function == NULL)
            continue;
        if (function != asked)
            loaded = is_loaded(function);
        asked = function;
        if (!loaded && atomic_load(&place->db) == db)
            forget(db);
    }
}

static struct store *store_of(const char *file)
{
    struct stat st;
    if (handle_count() == 0 || file == NULL || file[0] == '\0' || sys_stat(file, &st) < 0)
        return NULL;
    return store_find(identity_of(&st));
}

/* Unlike the books, these pages are a fork child's, too. */
static bool have_places(void)
{
    const size_t size = CONNECTIONS * sizeof(struct connection);
    struct connection *none = NULL;
    if (atomic_load(&places) != NULL)
        return true;
    struct connection *pages = sys_mmap(size);
    if (pages != NULL && !atomic_compare_exchange_strong(&places, &none, pages))
        sys_munmap(pages, size);
    return atomic_load(&places) != NULL;
}

void connection_opened(void *db, const char *file, const struct sqlite_calls *calls)
{
    if (!process_at_home() || !have_places())
        return;
    forget(db); /* of this address */
    struct store *store = store_of(file);
    bool past = false;
    const bool unseen = store == NULL && (store = opened_by_sqlite(file, &past)) != NULL;
    if (past && unseen)
        tell_past("opened");
    if (store == NULL && file != NULL && file[0] == '/')
        sum_strange_database(file);
    put(db, store, unseen, calls);
}

static bool has_gone(int pid)
{
    struct proc_stat stat;
    return !proc_read_stat(&stat, pid) || stat.state == 'Z';
}

static bool is_of_our_session(int pid)
{
    return sys_call(SYS_getsid, pid, 0, 0, 0, 0, 0) == sys_call(SYS_getsid, 0, 0, 0, 0, 0, 0);
}

/* A daemon leaves its parent's session, and may close before that has come to its end. */
static bool has_left(int parent)
{
    const uint64_t step = 1000000;
    const uint64_t patience = 50000000;
    if (has_gone(parent))
        return true;
    if (is_of_our_session(parent))
        return false;
    bool gone = false;
    for (uint64_t end = clock_now() + patience; !gone && clock_now() < end; gone = has_gone(parent))
        sys_poll(-1, 0, step);
    return gone;
}

/* One that was opened before this process was forked. Its store, pinned, if the parent has gone:
 * then it is this process's alone, as in a daemon. */
static struct store *inherited_store(void *db, const struct leaving *l)
{
    bool past;
    if (l->calls.filename == NULL || l->opener == 0 || !has_left(l->opener))
        return NULL;
    const char *file = l->calls.filename(db, "main");
    struct store *store = store_of(file);
    return store != NULL ? store : opened_by_sqlite(file, &past);
}

struct leaving connection_closing(void *db)
{
    struct leaving l = {.known = false, .store = NULL};
    if (db != NULL && (process_at_home() || process_is_stopped())) {
        l.known = take(db, &l);
        l.home = process_home();
        if (l.known && l.opener != l.home && !process_is_stopped()) {
            l.store = inherited_store(db, &l);
            l.unseen = l.store != NULL;
        }
        if (l.store != NULL) {
            l.waited = atomic_load(&l.store->waited);
            closed_under_way(l.store, clock_now());
        }
    }
    return l;
}

/* --- zombies --- */

/* Asked of live connections only: a bad pointer is for the real close to refuse. */
enum statements connection_statements(void *db, const struct leaving *l)
{
    enum statements found = STATEMENTS_NONE;
    if (l->store == NULL || l->calls.next_stmt == NULL)
        return found;
    for (void *s = NULL; (s = l->calls.next_stmt(db, s)) != NULL;) {
        found = STATEMENTS_AT_REST;
        if (l->calls.stmt_busy == NULL || l->calls.stmt_busy(s) != 0)
            return STATEMENTS_BUSY;
    }
    return found;
}

static bool has_handles(const struct store *store)
{
    return (atomic_load(&store->handles) & STORE_OPENED) != 0;
}

static void say(enum log_level level, const struct store *store, const char *message)
{
    log_say_path(level, store_path(store), message);
}

/* The handles go away when another thread finalises the last statement; that thread's close leaves
 * the wait to this one. */
static void wait_for_zombie(struct store *store, enum statements left, int home)
{
    if (!helper_other_threads()) {
        say(LOG_WARN, store,
            "closed with statements that are not finalised, so SQLite keeps it open, and no other "
            "thread could finalise them: not waited for");
        return;
    }
    if (!block_may_wait(store, store_path(store)))
        return;
    const struct rule *rule = rules_get(atomic_load(&store->rule));
    uint64_t began = clock_now();
    bool whole = left == STATEMENTS_BUSY && vain_has_whole(began);
    struct claim claim = budget_claim(whole ? rule->max_wait : block_fixed_delay(rule), began);
    uint64_t now = began;
    bool interrupted = false;
    atomic_fetch_add(&store->awaited, 1);
    struct interruption interruption = interruption_here(1);
    while (!interrupted && has_handles(store) && atomic_load(&store->connections) == 0 &&
           now < began + claim.ns) {
        interrupted =
            interruption_sleep(&interruption, pace_backoff(now - began, rule->check_interval));
        now = clock_now();
    }
    if (process_home() == home)
        atomic_fetch_sub(&store->awaited, 1);
    interruption_end(&interruption);
    if (process_home() != home)
        return;
    budget_settle(claim, now - began);
    tell_end_of_budget();
    if (whole && has_handles(store))
        vain_ended(now, now - began, rule->max_wait);
    if (interrupted)
        tell_interrupted(store_path(store), rule, now - began);
    else if (atomic_load(&store->connections) > 0)
        say(LOG_INFO, store, "opened again by this process, the wait ends");
    else if (has_handles(store))
        say(LOG_WARN, store,
            "still open in this process at the end of the wait: closed with statements that were "
            "not finalised");
    else
        block_until_settled(store, store_path(store),
                            &(const struct block_cause){.began = began, .now = now}, home);
}

/* Waits where no close of a descriptor did that should have. */
static void wait_if_unseen(const struct leaving *l)
{
    struct store *store = l->store;
    if (atomic_load(&store->connections) > 0 || atomic_load(&store->waited) != l->waited ||
        rules_get(atomic_load(&store->rule))->trigger == TRIGGER_USE)
        return;
    if (!l->unseen) {
        if (!has_handles(store) || !opened_forget_closed(store))
            return;
        tell_past("closed");
    }
    if (has_handles(store))
        return;
    const uint64_t now = clock_now();
    block_until_settled(store, store_path(store),
                        &(const struct block_cause){.began = now, .now = now}, l->home);
}

void connection_closed(void *db, const struct leaving *l, bool closed, enum statements left)
{
    if (!l->known || l->home != process_home())
        return;
    if (l->store != NULL)
        closed_arrived(l->store);
    if (!closed) {
        put(db, l->store, l->unseen, &l->calls);
        return;
    }
    if (l->store == NULL)
        return;
    if (!track_is_on())
        ; /* the program filters its own system calls since, and its closes are not seen */
    else if (left != STATEMENTS_NONE && atomic_load(&l->store->connections) == 0 &&
             has_handles(l->store))
        wait_for_zombie(l->store, left, l->home);
    else if (left == STATEMENTS_NONE)
        wait_if_unseen(l);
    if (l->home == process_home())
        store_release(l->store);
}
