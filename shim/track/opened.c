#include "track/opened.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/path.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"
#include "helper/log.h"
#include "helper/record.h"
#include "helper/seccomp.h"
#include "track/books.h"
#include "track/deferral.h"
#include "track/history.h"
#include "track/in_place.h"
#include "track/keep.h"
#include "track/later.h"
#include "track/look.h"
#include "track/possible.h"
#include "track/process.h"
#include "track/readers.h"
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

static void discount_candidate(struct identity id)
{
    atomic_fetch_sub(&candidates_like(id)->count, 1);
}

bool opened_may_be_candidate(struct identity file)
{
    return atomic_load(&candidates_like(file)->count) > 0;
}

void opened_enter(int fd, struct handle h)
{
    look_for_more();
    if (h.role == ROLE_CANDIDATE)
        count_candidate(fd, h.identity);
    if (handle_put(fd, h)) {
        history_opened(fd, &h);
        return;
    }
    if (h.role == ROLE_CANDIDATE)
        discount_candidate(h.identity);
    if (h.store != NULL)
        store_release(h.store);
}

struct handle opened_take(int fd, bool *last)
{
    struct handle h = handle_take(fd, last);
    if (h.role == ROLE_CANDIDATE)
        discount_candidate(h.identity);
    return h;
}

static void promote(int fd, struct store *store, struct identity identity)
{
    if (!handle_promote(fd, store, identity))
        return;
    discount_candidate(identity);
    readers_enter(store);
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

static unsigned facts_of_moment(int fd)
{
    unsigned noted;
    if (readers_has(fd, &noted)) /* no function of SQLite had it opened */
        return noted;
    return (deferral_inside() ? FACT_IN_SQLITE : 0) | keep_time();
}

static unsigned facts_by(int fd, int flags)
{
    unsigned facts = facts_of_moment(fd);
    if ((flags & O_ACCMODE) != O_RDONLY)
        facts |= FACT_WRITES;
    if ((flags & O_ACCMODE) == O_WRONLY && atomic_load(&BOOKS.seen.names) != 0)
        facts |= FACT_COPIES;
    if ((flags & O_NOFOLLOW) != 0)
        facts |= FACT_NOFOLLOW;
    if ((flags & O_CLOEXEC) != 0)
        facts |= FACT_CLOEXEC;
    return facts;
}

/* What the descriptor tells of who opened it. The flags that open(2) was called with are those that
 * the kernel keeps, but for O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC and O_CLOEXEC (do_dentry_open in its
 * fs/open.c), of which the last is the descriptor's own. False: it only names the file (O_PATH), so
 * that nothing is read, written or locked by it, and it is no handle. */
static bool facts_of(int fd, unsigned *facts)
{
    const int flags = sys_fcntl(fd, F_GETFL, 0);
    const int own_flags = sys_fcntl(fd, F_GETFD, 0);
    const int cloexec = (own_flags & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0;
    *facts = flags < 0 || own_flags < 0 ? facts_of_moment(fd)
                                        : facts_by(fd, (flags & ~O_CLOEXEC) | cloexec);
    return flags < 0 || (flags & O_PATH) == 0;
}

/* One that was noted was opened before now, when the process could have been asked. */
static SYS_OWN_FRAME void tell_in_place(int fd)
{
    unsigned noted;
    if (!readers_has(fd, &noted))
        in_place_opened(fd);
}

static SYS_OWN_FRAME void enter_store(int fd, const struct stat *st, const struct recognised *found,
                                      unsigned facts)
{
    seccomp_is_on(); /* so that the close need not find out */
    struct store *store = store_acquire(found->primary, found->profile, found->named.primary);
    if (store == NULL) {
        log_say_path(LOG_WARN, found->path,
                     "cannot be tracked (too many stores are open, or no memory)");
        return;
    }
    opened_enter(
        fd, (struct handle){
                .role = found->role, .store = store, .identity = identity_of(st), .facts = facts});
    tell_in_place(fd);
    readers_enter(store);
    if (found->role == ROLE_SIDECAR && st->st_size % 32768 == 0)
        readers_enter_shm(store, identity_of(st));
    promote_candidates(store, found->primary);
    log_opened(found->path, found->role);
}

void opened_enter_reader(int fd, struct store *store, enum role role, struct identity file)
{
    unsigned facts;
    if (!facts_of(fd, &facts)) {
        store_release(store);
        return;
    }
    /* It was opened before, and not by the call of SQLite that this may be inside of now. */
    facts &= ~(unsigned)FACT_IN_SQLITE;
    opened_enter(fd,
                 (struct handle){.role = role, .store = store, .identity = file, .facts = facts});
}

static SYS_OWN_FRAME void note_candidate(int fd, const struct stat *st, unsigned facts)
{
    if (st->st_nlink == 0 || !store_reserve())
        return;
    opened_enter(
        fd, (struct handle){.role = ROLE_CANDIDATE, .identity = identity_of(st), .facts = facts});
}

/* Looks closely at a descriptor whose name may be that of a store's file. */
static void examine(int fd, const struct stat *st, const char *given)
{
    struct recognised *found = scratch_take();
    if (found == NULL) {
        log_say_path(LOG_WARN, given, "cannot be tracked (no memory)");
        return;
    }
    unsigned facts;
    recognise(fd, st, given, found);
    if (found->role == ROLE_NONE || !facts_of(fd, &facts))
        ;
    else if (found->role == ROLE_CANDIDATE)
        note_candidate(fd, st, facts | (recognised_lacks_beside(found) ? FACT_LACKS_BESIDE : 0));
    else
        enter_store(fd, st, found, facts);
    scratch_give(found);
}

void opened_forget(int fd)
{
    bool last;
    struct handle h = opened_take(fd, &last);
    if (h.role == ROLE_PUT_OFF)
        keep_forget(fd);
    else if (h.role != ROLE_NONE && h.role != ROLE_LATER)
        history_closed(fd, &h, NULL);
    if (h.store != NULL)
        store_release(h.store);
}

void opened_miss(int fd)
{
    const struct handle h = handle_get(fd);
    if (h.role == ROLE_PRIMARY && h.kind != KIND_READER)
        tell_missed(store_path(h.store));
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
    later_look_at_all();
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
    later_look_at_all();
    for (int fd = handle_next(0, ~0u); fd >= 0; fd = handle_next((unsigned)fd + 1, ~0u)) {
        if (is_still_open(fd, handle_get(fd).identity))
            continue;
        sys_sigset old = process_hold_signals();
        opened_miss(fd);
        process_let_signals(old);
    }
}

static void examine_empty(int fd, const struct stat *st, int flags)
{
    if (!process_thread_at_home())
        return;
    if (handle_later(fd) == LATER_NOT && handle_possible(fd))
        opened_miss(fd);
    if (handle_later(fd) == LATER_NOT)
        readers_forget(fd);
    note_candidate(fd, st, facts_by(fd, flags));
}

/* Each new file comes here, so it takes no system call but the one for whose process this is, and
 * signals are not held. A handler that leaves in the middle leaves a candidate that is counted and
 * not there, which costs a search of the table later; one that forks, an entry in memory that the
 * child's books do not know of. A record has more to write. */
void opened_examine_empty(int fd, const struct stat *st, int flags)
{
    if (!record_wanted()) {
        examine_empty(fd, st, flags);
        return;
    }
    const sys_sigset old = process_hold_signals();
    examine_empty(fd, st, flags);
    process_let_signals(old);
}

void opened_examine(int fd, const struct stat *st, const char *path)
{
    sys_sigset old = process_hold_signals();
    if (process_thread_at_home()) {
        unsigned noted;
        if (handle_possible(fd) && handle_later(fd) == LATER_NOT)
            opened_miss(fd); /* the number is used again: its close went by unseen */
        if (path[0] != '\0')
            readers_forget(fd);
        examine(fd, st, path);
        if (path[0] == '\0' && !readers_has(fd, &noted))
            handle_note(fd, FACT_SHARED); /* it came from somebody who may have it still */
        readers_forget(fd);
    }
    process_let_signals(old);
}

static SYS_OWN_FRAME void copy_handle(int from, int to)
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

int track_duplicated(int from, int to)
{
    if (!track_is_on() || to < 0 || to == from)
        return to;
    readers_copied(from, to);
    if (!handle_possible(from) && !handle_possible(to))
        return to;
    sys_sigset old = process_hold_signals();
    copy_handle(from, to);
    process_let_signals(old);
    return to;
}

static SYS_OWN_FRAME bool lacks_beside(int fd)
{
    return (handle_get(fd).facts & FACT_LACKS_BESIDE) != 0;
}

static SYS_OWN_FRAME void set_identity(struct recognised *found, int fd)
{
    found->primary = handle_get(fd).identity;
}

/* The store that a candidate has become, pinned; NULL: none. */
static SYS_OWN_FRAME struct store *become(int fd, off_t size, bool lacks_beside)
{
    struct store *store = NULL;
    struct recognised *found;
    if (!recognise_may_again(lacks_beside, size) || (found = scratch_take()) == NULL)
        return NULL;
    set_identity(found, fd);
    recognise_again(fd, size, lacks_beside, found);
    if (found->role != ROLE_NONE)
        store = store_acquire(found->primary, found->profile, found->named.primary);
    scratch_give(found);
    return store;
}

static SYS_OWN_FRAME void promote_all(int fd, struct store *store)
{
    const struct identity file = store_primary(store);
    promote(fd, store, file);
    promote_candidates(store, file);
    store_release(store);
}

void opened_settle_candidate(int fd, off_t size)
{
    struct store *store = become(fd, size, lacks_beside(fd));
    if (store != NULL)
        promote_all(fd, store);
}
