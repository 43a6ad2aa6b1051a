#include "track/track.h"

#include "base/descriptor.h"
#include "base/sys.h"
#include "base/text.h"
#include "config/rules.h"
#include "helper/helper.h"
#include "helper/log.h"
#include "helper/record.h"
#include "helper/seccomp.h"
#include "track/block.h"
#include "track/budget.h"
#include "track/connection.h"
#include "track/history.h"

#include <string.h>

static const struct settings *settings;
_Atomic uint32_t track_size_mask = TRACK_NOTHING;
static uint32_t size_mask; /* when it is on */
static profile_set profiles_on;
/* Closes that other threads are in the middle of: out of the table, and not yet closed, waited for
 * and logged. The exit gives them time. */
#define unfinished (store_memory.root.unfinished)
/* Closes between the first half and the real close. */
#define on_their_way (store_memory.root.closing)

static bool is_on(void)
{
    return atomic_load_explicit(&track_size_mask, memory_order_relaxed) != TRACK_NOTHING;
}

/* The process in which this thread left the table of its process; 0: in none. A fork child of the
 * thread is another process, with one table again. */
static __thread int left_table_in __attribute__((tls_model("initial-exec")));

/* Whether the tables describe the descriptors of the calling thread. */
static bool at_home(void)
{
    return store_at_home() && left_table_in != store_home();
}

void track_start(const struct settings *s)
{
    profiles_on = profile_select(s->stores, s->dirs);
    bool by_name = !profile_by_content(profiles_on) && s->dirs[0] == '\0';
    size_mask = by_name ? 512 - 1 : 0;
    block_start(s);
    settings = s;
    atomic_store(&track_size_mask, size_mask);
}

bool track_stop(void)
{
    if (!is_on() || !at_home())
        return false;
    log_say(LOG_INFO, "the program filters its own system calls: no close waits from here on");
    return atomic_exchange(&track_size_mask, TRACK_NOTHING) != TRACK_NOTHING;
}

void track_go_on(bool stopped)
{
    if (stopped)
        atomic_store(&track_size_mask, size_mask);
}

bool track_shares_table(void)
{
    return is_on() && at_home() && helper_other_threads();
}

void track_left_table(void)
{
    left_table_in = store_home();
}

/* --- entering --- */

static struct candidates *candidates_like(struct identity id)
{
    return &store_memory.root.candidates[(id.ino ^ id.ino >> 8) % CANDIDATE_GROUPS];
}

static void count_candidate(int fd, struct identity id)
{
    struct candidates *like = candidates_like(id);
    atomic_fetch_add(&like->count, 1);
    atomic_store(&like->newest, fd);
}

/* Takes the pin on the handle's store over. */
static void enter(int fd, struct handle h)
{
    if (!handle_put(fd, h)) {
        if (h.store != NULL)
            store_release(h.store);
        return;
    }
    if (h.role == ROLE_CANDIDATE)
        count_candidate(fd, h.identity);
    history_opened(fd, &h);
}

static struct handle take(int fd, bool *last)
{
    struct handle h = handle_take(fd, last);
    if (h.role == ROLE_CANDIDATE)
        atomic_fetch_sub(&candidates_like(h.identity)->count, 1);
    return h;
}

static void promote(int fd, struct store *store, struct identity identity)
{
    if (!handle_promote(fd, store, identity))
        return;
    atomic_fetch_sub(&candidates_like(identity)->count, 1);
    history_opened(fd, &(struct handle){ROLE_PRIMARY, store, identity});
}

/* Empty files that were noted as candidates are handles of the store that they turned out to be.
 * The caller's own handle must be one already, or a thread that closes one of them meanwhile could
 * take it for the last. */
static void promote_candidates(struct store *store, struct identity identity)
{
    struct candidates *like = candidates_like(identity);
    if (atomic_load(&like->count) > 0)
        promote(atomic_load(&like->newest), store, identity); /* nearly always all there is */
    if (atomic_load(&like->count) == 0)
        return;
    for (int fd = handle_next(0, ~0u); fd >= 0; fd = handle_next((unsigned)fd + 1, ~0u))
        promote(fd, store, identity);
}

static void log_opened(const char *path, enum role role)
{
    char message[64];
    struct text t = text_in(message, sizeof message);
    text_str(&t, "opened as ");
    text_str(&t, role_names[role]);
    log_say_path(LOG_DEBUG, path, message);
}

static void enter_store(int fd, enum role role, const struct stat *st, const struct named *named,
                        const char *path)
{
    struct identity self = identity_of(st);
    struct identity primary = self;
    if (role != ROLE_PRIMARY) {
        struct stat main;
        if (sys_stat(named->primary, &main) < 0 || !S_ISREG(main.st_mode))
            return;
        primary = identity_of(&main);
    }
    filter_is_on(); /* so that the close need not find out */
    struct store *store = store_acquire(primary, named->profile, named->primary);
    if (store == NULL) {
        log_say_path(LOG_WARN, path, "cannot be tracked (too many stores are open, or no memory)");
        return;
    }
    enter(fd, (struct handle){role, store, self});
    promote_candidates(store, primary);
    log_opened(path, role);
}

static void note_candidate(int fd, const struct stat *st)
{
    int flags = sys_fcntl(fd, F_GETFL, 0);
    if (flags < 0 || (flags & O_ACCMODE) != O_RDWR || st->st_nlink == 0 || !store_reserve())
        return;
    enter(fd, (struct handle){ROLE_CANDIDATE, NULL, identity_of(st)});
}

/* Looks closely at a descriptor whose name may be that of a store's file. */
static void examine(int fd, const struct stat *st, const char *given)
{
    char path[PATH_MAX];
    descriptor_path(fd, path, sizeof path);
    bool located = path[0] == '/';
    if (!located)
        str_copy(path, sizeof path, given);
    /* Without /proc a relative name is no place; its file name still says what it is. */
    char absolute[PATH_MAX];
    struct text t = text_in(absolute, sizeof absolute);
    text_str(&t, path[0] == '/' ? "" : "/");
    text_str(&t, path);

    struct named named = profile_name(profiles_on, settings->dirs, absolute);
    if (named.role == ROLE_NONE)
        return;
    if (!S_ISREG(st->st_mode)) {
        if (named.role == ROLE_PRIMARY && named.profile->primary != NULL)
            log_say_path(LOG_WARN, path, "is not a regular file, so it is not tracked as a store");
        return;
    }
    if (st->st_nlink == 0) /* nobody else can find it: O_TMPFILE, or removed */
        return;
    if (path[0] != '/') {
        if (named.role != ROLE_PRIMARY)
            return;
        named.primary[0] = '\0';
    }
    if (named.role == ROLE_CANDIDATE) {
        if (st->st_size == 0) {
            note_candidate(fd, st);
            return;
        }
        if (!descriptor_is_database(fd, st))
            return;
        named.role = ROLE_PRIMARY;
    }
    enter_store(fd, named.role, st, &named, path);
}

static void forget(int fd)
{
    bool last;
    struct handle h = take(fd, &last);
    if (h.role != ROLE_NONE)
        history_closed(fd, &h, NULL);
    if (h.store != NULL)
        store_release(h.store);
}

/* A signal handler may fork, or leave by longjmp, and a thread may be cancelled: not in the middle
 * of the books. */
static sys_sigset hold_signals(void)
{
    const sys_sigset all = ~0ull;
    sys_sigset old;
    sys_sigmask(SIG_SETMASK, &all, &old);
    return old;
}

static void let_signals(sys_sigset old)
{
    sys_sigmask(SIG_SETMASK, &old, NULL);
}

/* Two halves that need much stack, which the many opens of other files must not. */
static __attribute__((noinline)) void enter_opened(int fd, const struct stat *st, const char *path)
{
    sys_sigset old = hold_signals();
    if (at_home()) {
        if (handle_possible(fd))
            forget(fd); /* the number is used again: its close went by unseen */
        examine(fd, st, path);
    }
    let_signals(old);
}

static __attribute__((noinline)) bool is_link_to_store(int fd)
{
    char target[PATH_MAX];
    descriptor_path(fd, target, sizeof target);
    return profile_may_match(profiles_on, target);
}

static bool is_like_store(int fd, const struct stat *st)
{
    return S_ISREG(st->st_mode) && (st->st_size & size_mask) == 0 &&
           (size_mask == 0 || is_link_to_store(fd));
}

void track_opened_likely(int fd, const struct stat *st, const char *path)
{
    if (profile_may_match(profiles_on, path) || handle_possible(fd) || is_like_store(fd, st))
        enter_opened(fd, st, path);
}

static void copy_handle(int from, int to)
{
    if (!at_home())
        return;
    if (handle_possible(to))
        forget(to);
    struct handle h = handle_get(from);
    if (h.role == ROLE_NONE)
        return;
    if (h.store != NULL)
        store_retain(h.store);
    enter(to, h);
}

void track_duplicated(int from, int to)
{
    if (!is_on() || to < 0 || to == from || (!handle_possible(from) && !handle_possible(to)))
        return;
    sys_sigset old = hold_signals();
    copy_handle(from, to);
    let_signals(old);
}

/* --- closing --- */

/* A candidate that has become a database since it was opened empty is a primary after all. */
static void settle_candidate(int fd, const struct stat *st)
{
    if (st->st_nlink == 0 || !descriptor_is_database(fd, st))
        return;
    char path[PATH_MAX];
    descriptor_path(fd, path, sizeof path);
    struct store *store = store_acquire(identity_of(st), profile_of_content(), path);
    if (store == NULL)
        return;
    promote(fd, store, identity_of(st));
    promote_candidates(store, identity_of(st));
    store_release(store);
}

static bool waits_at_every_close(struct store *store)
{
    return rules_get(atomic_load(&store->rule))->trigger == TRIGGER_EVERY;
}

static void set_out(struct closing *c)
{
    if (!at_home())
        return;
    c->home = store_home();
    c->on_its_way = true;
    atomic_fetch_add(&on_their_way, 1);
}

/* A fork child knows nothing of the first half. */
static void arrive(const struct closing *c)
{
    if (!c->on_its_way || c->home != store_home())
        return;
    uint32_t closes = atomic_load(&on_their_way);
    while (closes > 0 && !atomic_compare_exchange_weak(&on_their_way, &closes, closes - 1))
        ;
}

void track_locking(int fd)
{
    const uint64_t patience = 100000;
    if (!handle_possible(fd) || atomic_load(&on_their_way) == 0)
        return;
    uint64_t began = sys_now();
    while (atomic_load(&on_their_way) > 0)
        if (sys_now() - began >= patience)
            atomic_store(&on_their_way, 0); /* one that was left by longjmp never arrives */
}

/* In a fork child that a signal handler made meanwhile the tables are nobody's. */
static void begin_closing(int fd, struct closing *c)
{
    if (!c->on_its_way || c->home != store_home())
        return;

    struct stat st;
    if (sys_fstat(fd, &st) < 0 || !identity_same(identity_of(&st), handle_get(fd).identity)) {
        forget(fd); /* the number is used again: its close went by unseen */
        return;
    }
    if (handle_get(fd).role == ROLE_CANDIDATE)
        settle_candidate(fd, &st);

    bool last;
    atomic_fetch_add(&unfinished, 1);
    c->handle = take(fd, &last);
    if (c->handle.role == ROLE_NONE)
        atomic_fetch_sub(&unfinished, 1); /* another thread was quicker */
    bool primary = c->handle.role == ROLE_PRIMARY;
    /* A close of the last connection that left a zombie waits for this one. */
    last = last && atomic_load(&c->handle.store->awaited) == 0;
    c->waits = last || (primary && waits_at_every_close(c->handle.store));
    c->placed = c->waits && primary && st.st_nlink > 0;
    if (c->placed || record_wanted())
        descriptor_path(fd, c->path, sizeof c->path); /* it may have been renamed meanwhile */
}

void track_closing(int fd, struct closing *c)
{
    c->handle = (struct handle){.role = ROLE_NONE};
    c->fd = fd;
    c->on_its_way = false;
    c->waits = false;
    c->placed = false;
    c->path[0] = '\0';
    if (!is_on() || !handle_possible(fd))
        return;
    set_out(c);
    sys_sigset old = hold_signals();
    begin_closing(fd, c);
    let_signals(old);
}

/* Whether the second half of a close has something to finish. A signal handler between the two may
 * have forked: the child comes back here, too, and its tables know nothing of the first half. */
static bool is_begun(const struct closing *c)
{
    return c->handle.role != ROLE_NONE && c->home == store_home();
}

void track_not_closed(int fd, struct closing *c)
{
    arrive(c);
    sys_sigset old = hold_signals();
    if (is_begun(c)) {
        enter(fd, c->handle);
        atomic_fetch_sub(&unfinished, 1);
    }
    let_signals(old);
}

/* In a fork child that a signal handler made since the process `home` took the handle out, there is
 * nothing to be put back. */
static void end_closing(struct store *store, int home)
{
    sys_sigset old = hold_signals();
    if (store_home() == home) {
        if (store != NULL)
            store_release(store);
        atomic_fetch_sub(&unfinished, 1);
    }
    let_signals(old);
}

/* Stores whose wait is put off. SQLite attaches 125 databases at most, besides its main and
 * temporary one (https://www.sqlite.org/limits.html). */
enum { DEFERRED_MOST = 128, DEFERRALS = 8 };
static __thread struct {
    unsigned depth;
    unsigned count;
    int home; /* the process whose stores these are */
    struct deferral {
        const void *frame; /* of the hook */
        unsigned base;     /* its stores begin here */
        bool resuming;     /* its call has returned, and its waits run */
    } deferrals[DEFERRALS];
    struct store *stores[DEFERRED_MOST];
} deferred __attribute__((tls_model("initial-exec")));

static struct deferral *innermost(void)
{
    return deferred.depth == 0 ? NULL : &deferred.deferrals[deferred.depth - 1];
}

static void drop_innermost(void)
{
    for (unsigned base = innermost()->base; deferred.count > base;) {
        struct store *store = deferred.stores[--deferred.count];
        end_closing(store, deferred.home);
    }
    deferred.depth--;
}

/* Forgets hooks that were left by longjmp or by cancellation: their frames lie below one that is in
 * use, since the stack grows down. */
static void drop_left_below(const void *frame)
{
    while (deferred.depth > 0 && innermost()->frame < frame)
        drop_innermost();
}

/* Whether a hook that is still in its real function wants the waits put off. */
static bool is_deferring(void)
{
    return deferred.depth > 0 && !innermost()->resuming;
}

static void wait_for(struct store *store, const char *path, int home)
{
    block_until_settled(store, path[0] != '\0' ? path : atomic_load(&store->path), sys_now(), home);
    end_closing(store, home);
}

void track_closed(struct closing *c)
{
    arrive(c);
    if (!is_begun(c))
        return;
    struct store *store = c->handle.store;
    history_closed(c->fd, &c->handle, c->path);
    drop_left_below(c);
    if (c->waits && is_deferring() && deferred.count < DEFERRED_MOST) {
        deferred.home = c->home;
        deferred.stores[deferred.count++] = store;
        log_say_path(LOG_DEBUG, atomic_load(&store->path),
                     "its wait is put off until the call that closes it has returned");
        return;
    }
    if (c->waits)
        wait_for(store, c->placed ? c->path : "", c->home);
    else
        end_closing(store, c->home);
}

void track_defer(const void *frame)
{
    drop_left_below((const char *)frame + 1);
    if (deferred.depth < DEFERRALS)
        deferred.deferrals[deferred.depth++] = (struct deferral){frame, deferred.count, false};
}

void track_resume(const void *frame)
{
    drop_left_below(frame);
    struct deferral *own = innermost();
    if (own == NULL || own->frame != frame)
        return;
    if (deferred.depth > 1 && !own[-1].resuming) {
        deferred.depth--; /* its stores are now those of the hook around it */
        return;
    }
    /* From the end, since a signal handler that runs during a wait may add and remove its own. */
    own->resuming = true;
    while (deferred.count > own->base) {
        struct store *store = deferred.stores[--deferred.count];
        if (deferred.home == store_home()) /* or a fork child, with its parent's list */
            wait_for(store, "", deferred.home);
    }
    deferred.depth--;
}

void track_recheck(void)
{
    if (!is_on() || !at_home())
        return;
    for (int fd = handle_next(0, ~0u); fd >= 0; fd = handle_next((unsigned)fd + 1, ~0u)) {
        struct stat st;
        if (sys_fstat(fd, &st) < 0 || !identity_same(identity_of(&st), handle_get(fd).identity))
            forget(fd);
    }
}

/* --- at exit --- */

/* What the exit may see go away: handles that are open, and closes that are under way. */
static uint32_t left_to_do(void)
{
    return store_handles_open() + atomic_load(&unfinished);
}

/* No close waits for longer. */
static uint64_t longest_exit(void)
{
    uint64_t longest = rules_longest_wait();
    return longest < budget_unspent() ? longest : budget_unspent();
}

static void wait_at_exit(void)
{
    const uint64_t step = 1000000;
    uint32_t left = left_to_do();
    if ((left == 0 && block_waits_running() == 0) || !is_on() || settings->at_exit == AT_EXIT_OFF ||
        !at_home())
        return;
    uint64_t began = sys_now();
    uint64_t progress = began;
    uint64_t most = longest_exit();
    bool threads = left > 0 && helper_other_threads();

    for (;;) {
        uint64_t now = sys_now();
        uint32_t still = left_to_do();
        if (still < left || block_waits_running() > 0)
            progress = now;
        left = still;
        bool going_on = threads && left > 0 && now - progress < settings->fallback_delay;
        if ((!going_on && block_waits_running() == 0) || now - began >= most)
            break;
        block_for(step);
    }
    if (log_wants(LOG_DEBUG)) {
        char message[96];
        struct text t = text_in(message, sizeof message);
        text_str(&t, "at exit: ");
        text_int(&t, store_handles_open());
        text_str(&t, " handles still open, waited ");
        text_seconds(&t, sys_now() - began);
        log_say(LOG_DEBUG, message);
    }
}

void track_exit(void)
{
    wait_at_exit();
    if (is_on() && store_any() && at_home())
        history_exit();
}
