#include "track/opened.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/path.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"
#include "helper/log.h"
#include "helper/seccomp.h"
#include "track/books.h"
#include "track/deferral.h"
#include "track/history.h"
#include "track/keep.h"
#include "track/possible.h"
#include "track/process.h"
#include "track/recognise.h"
#include "track/tell.h"
#include "track/track.h"

static struct opened_books *const own = &BOOKS.opens;

static struct candidates *candidates_like(struct identity id)
{
    return &own->candidates[(id.ino ^ id.ino >> 8) % CANDIDATE_GROUPS];
}

static void count_candidate(int fd, struct identity id)
{
    struct candidates *like = candidates_like(id);
    atomic_fetch_add(&like->count, 1);
    atomic_store(&like->newest, fd);
}

void opened_enter(int fd, struct handle h)
{
    atomic_store_explicit(&track_asks_more, 1, memory_order_relaxed);
    if (!handle_put(fd, h)) {
        if (h.store != NULL)
            store_release(h.store);
        return;
    }
    if (h.role == ROLE_CANDIDATE)
        count_candidate(fd, h.identity);
    history_opened(fd, &h);
}

struct handle opened_take(int fd, bool *last)
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
    history_opened(fd,
                   &(struct handle){.role = ROLE_PRIMARY, .store = store, .identity = identity});
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

/* What the descriptor tells of who opened it. The flags that open(2) was called with are those that
 * the kernel keeps, but for O_CREAT, O_EXCL, O_NOCTTY and O_TRUNC (do_dentry_open in its
 * fs/open.c). */
static unsigned facts_of(int fd)
{
    int flags = sys_fcntl(fd, F_GETFL, 0);
    int own_flags = sys_fcntl(fd, F_GETFD, 0);
    unsigned facts = (deferral_inside() ? FACT_IN_SQLITE : 0) | keep_time();
    if (flags < 0 || own_flags < 0)
        return facts;
    if ((flags & O_ACCMODE) != O_RDONLY)
        facts |= FACT_WRITES;
    if ((flags & O_NOFOLLOW) != 0)
        facts |= FACT_NOFOLLOW;
    if ((own_flags & FD_CLOEXEC) != 0)
        facts |= FACT_CLOEXEC;
    return facts;
}

static SYS_OWN_FRAME void enter_store(int fd, const struct stat *st, const struct recognised *found)
{
    seccomp_is_on(); /* so that the close need not find out */
    struct store *store = store_acquire(found->primary, found->profile, found->named.primary);
    if (store == NULL) {
        log_say_path(LOG_WARN, found->path,
                     "cannot be tracked (too many stores are open, or no memory)");
        return;
    }
    opened_enter(fd, (struct handle){.role = found->role,
                                     .store = store,
                                     .identity = identity_of(st),
                                     .facts = facts_of(fd)});
    promote_candidates(store, found->primary);
    log_opened(found->path, found->role);
}

static SYS_OWN_FRAME void note_candidate(int fd, const struct stat *st)
{
    if (st->st_nlink == 0 || !store_reserve())
        return;
    opened_enter(fd, (struct handle){.role = ROLE_CANDIDATE,
                                     .identity = identity_of(st),
                                     .facts = facts_of(fd)});
}

/* Looks closely at a descriptor whose name may be that of a store's file. */
static void examine(int fd, const struct stat *st, const char *given)
{
    struct recognised *found = scratch_take();
    if (found == NULL) {
        log_say_path(LOG_WARN, given, "cannot be tracked (no memory)");
        return;
    }
    recognise(fd, st, given, found);
    if (found->role == ROLE_CANDIDATE)
        note_candidate(fd, st);
    else if (found->role != ROLE_NONE)
        enter_store(fd, st, found);
    scratch_give(found);
}

void opened_forget(int fd)
{
    bool last;
    struct handle h = opened_take(fd, &last);
    if (h.role == ROLE_PUT_OFF)
        keep_forget(fd);
    else if (h.role != ROLE_NONE)
        history_closed(fd, &h, NULL);
    if (h.store != NULL)
        store_release(h.store);
}

void opened_miss(int fd)
{
    const struct handle h = handle_get(fd);
    if (h.role == ROLE_PRIMARY && h.kind != KIND_READER)
        tell_missed(atomic_load(&h.store->path));
    opened_forget(fd);
}

static bool has_entry(struct identity file)
{
    for (int fd = handle_next(0, ~0u); fd >= 0; fd = handle_next((unsigned)fd + 1, ~0u))
        if (identity_same(handle_get(fd).identity, file))
            return true;
    return false;
}

static struct store *acquire_database(struct identity file, const char *path, struct recognised *in)
{
    return recognise_database(path, in) ? store_acquire(file, in->profile, path) : NULL;
}

struct store *opened_by_sqlite(const char *file, bool *past)
{
    struct stat st;
    if (file == NULL || file[0] != '/' || !track_is_on() || sys_stat(file, &st) < 0 ||
        !S_ISREG(st.st_mode) || has_entry(identity_of(&st)))
        return NULL;
    *past = !recognise_passed_over(identity_of(&st));
    struct recognised *in = scratch_take();
    struct store *store = in == NULL ? NULL : acquire_database(identity_of(&st), file, in);
    scratch_give(in);
    return store;
}

static bool is_still_open(int fd, struct identity file)
{
    struct stat st;
    return sys_fstat(fd, &st) == 0 && identity_same(identity_of(&st), file);
}

bool opened_forget_closed(const struct store *store)
{
    bool found = false;
    for (int fd = handle_next(0, ~0u); fd >= 0; fd = handle_next((unsigned)fd + 1, ~0u)) {
        struct handle h = handle_get(fd);
        if (h.store != store || is_still_open(fd, h.identity))
            continue;
        sys_sigset old = process_hold_signals();
        opened_forget(fd);
        process_let_signals(old);
        found = true;
    }
    return found;
}

void opened_miss_all(void)
{
    for (int fd = handle_next(0, ~0u); fd >= 0; fd = handle_next((unsigned)fd + 1, ~0u)) {
        if (is_still_open(fd, handle_get(fd).identity))
            continue;
        sys_sigset old = process_hold_signals();
        opened_miss(fd);
        process_let_signals(old);
    }
}

void opened_examine_empty(int fd, const struct stat *st)
{
    sys_sigset old = process_hold_signals();
    if (process_thread_at_home())
        note_candidate(fd, st);
    process_let_signals(old);
}

void opened_examine(int fd, const struct stat *st, const char *path)
{
    sys_sigset old = process_hold_signals();
    if (process_thread_at_home()) {
        if (handle_possible(fd))
            opened_miss(fd); /* the number is used again: its close went by unseen */
        examine(fd, st, path);
        if (path[0] == '\0') /* it came from somebody who may have it still */
            handle_note(fd, FACT_SHARED);
    }
    process_let_signals(old);
}

static void copy_handle(int from, int to)
{
    if (!process_thread_at_home())
        return;
    if (handle_possible(to))
        opened_miss(to);
    handle_note(from, FACT_SHARED);
    struct handle h = handle_get(from);
    if (h.role == ROLE_NONE || h.role == ROLE_PUT_OFF)
        return;
    if (h.store != NULL)
        store_retain(h.store);
    opened_enter(to, h);
}

void track_duplicated(int from, int to)
{
    if (!track_is_on() || to < 0 || to == from || (!handle_possible(from) && !handle_possible(to)))
        return;
    sys_sigset old = process_hold_signals();
    copy_handle(from, to);
    process_let_signals(old);
}

void opened_settle_candidate(int fd, struct identity file, off_t size)
{
    struct recognised *found = scratch_take();
    if (found == NULL)
        return;
    recognise_again(fd, file, size, found);
    struct store *store = NULL;
    if (found->role != ROLE_NONE)
        store = store_acquire(found->primary, found->profile, found->named.primary);
    scratch_give(found);
    if (store == NULL)
        return;
    promote(fd, store, file);
    promote_candidates(store, file);
    store_release(store);
}
