#include "track/keep.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/file_system.h"
#include "base/sys.h"
#include "base/text.h"
#include "helper/log.h"
#include "track/books.h"
#include "track/carry.h"
#include "track/crossing.h"
#include "track/locks.h"
#include "track/process.h"
#include "track/track.h"

#include <sys/file.h>
#include <unistd.h>

static struct places_books *const own = &BOOKS.places;
static bool is_on;

_Atomic uint32_t keep_sharings;
static _Atomic uint32_t spawns;
static const uint32_t times = UINT32_MAX >> FACT_TIME;

SYS_AT_START void keep_start(bool on)
{
    is_on = on;
}

/* --- who shares a description --- */

static uint32_t now(void)
{
    return atomic_load(&keep_sharings) & times;
}

unsigned keep_time(void)
{
    return now() << FACT_TIME;
}

void track_shared(void)
{
    atomic_fetch_add(&keep_sharings, 1);
}

/* In this order: whoever looks in between takes it for a fork. */
void track_spawned(void)
{
    track_shared();
    atomic_fetch_add(&spawns, 1);
}

uint32_t keep_spawned(void)
{
    return atomic_load(&spawns);
}

bool keep_is_shared(const struct handle *h)
{
    return (h->facts & FACT_SHARED) != 0 || h->facts >> FACT_TIME != now();
}

bool keep_is_shared_for_long(int fd, const struct handle *h)
{
    if (!keep_is_shared(h))
        return false;
    const uint32_t sharings = now() - (h->facts >> FACT_TIME);
    const uint32_t spawned = keep_spawned() - handle_spawned(fd);
    return (h->facts & FACT_SHARED) != 0 || ((sharings ^ spawned) & times) != 0 ||
           (sys_fcntl(fd, F_GETFD, 0) & FD_CLOEXEC) == 0;
}

/* --- what cannot be put off --- */

static void warn_of_cost(const struct handle *h, const char *why)
{
    static atomic_bool said;
    if (!log_wants(LOG_WARN) || atomic_exchange(&said, true))
        return;
    char message[192];
    struct text t = text_in(message, sizeof message);
    text_str(&t,
             "a close of the program's own descriptor drops the locks of its database engine (");
    text_str(&t, why);
    text_str(&t, ")");
    log_say_path(LOG_WARN, h->store == NULL ? "" : store_path(h->store), message);
}

/* The books of the descriptors and those of the locks are of one mind where SQLite opened the file
 * as it does now; an older one is known by its lock alone. */
static bool engine_has(const struct handle *h)
{
    return handle_of_engine(h->store, h->identity) >= 0 ||
           (h->store != NULL && locks_on(h->store, h->identity));
}

/* Of a small table no large part is kept from the program. */
static unsigned places(unsigned limit)
{
    return limit / 8 < PLACES_MOST ? limit / 8 : PLACES_MOST;
}

/* Those of the engine are what this is about. */
static bool has_locks_to_drop(const struct handle *h)
{
    return (h->facts & FACT_LOCK) != 0 && !handle_of_its_engine(h);
}

/* One that is shared is taken up by no open, so that these become more and more. */
static bool has_room(const struct handle *h, unsigned most)
{
    const unsigned count = atomic_load(&own->count);
    if (count >= most || (count >= most / 2 && keep_is_shared(h)))
        carry_locks_over();
    return atomic_load(&own->count) < most;
}

static const char too_many[] = "too many such closes are put off already";

static const char *why_not(int fd, const struct handle *h)
{
    const unsigned spare = 8;
    unsigned limit = descriptor_limit();
    if (fd <= STDERR_FILENO)
        return "its number is that of a standard stream";
    if ((unsigned)fd + spare >= limit)
        return "the limit of open files is near";
    if (has_locks_to_drop(h) && keep_is_shared(h))
        return "a lock was taken through it, and another process or number shares it";
    return has_room(h, places(limit)) ? NULL : too_many;
}

/* SQLite closes the database once none of its connections has a lock on it, and so another thread
 * has taken one since it looked (track.h, track_locking), or another copy of SQLite has. */
static bool engine_loses(int fd, const struct handle *h)
{
    return h->role == ROLE_PRIMARY && locks_by_another(h->store, fd) &&
           handle_of_engine(h->store, h->identity) >= 0;
}

bool keep_wants(int fd, const struct handle *h)
{
    if (!is_on || h->role == ROLE_NONE)
        return false;
    if (handle_of_its_engine(h) ? !engine_loses(fd, h) : !engine_has(h))
        return false;
    const char *why = why_not(fd, h);
    if (why != NULL)
        warn_of_cost(h, why);
    return why == NULL;
}

void keep_cannot(int fd, int last, const struct handle *h)
{
    if (!is_on || h->role == ROLE_NONE || handle_of_its_engine(h))
        return;
    int engine = handle_of_engine(h->store, h->identity);
    if (engine >= 0 && (engine < fd || engine > last))
        warn_of_cost(h, "it is closed in a way that cannot be put off");
}

/* --- putting off --- */

/* What the close of the last descriptor would have let go of. Of the POSIX locks those that are not
 * where SQLite has its own (https://www.sqlite.org/lockingv3.html, and bytes 120 to 128 of -shm).
 */
static void drop_locks(int fd)
{
    static const struct {
        off_t start, length;
    } ranges[] = {{0, 120}, {129, 0x40000000 - 129}, {0x40000200, 0}};
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    sys_flock(fd, LOCK_UN);
    sys_fcntl(fd, F_OFD_SETLK, (long)&lock);
    sys_fcntl(fd, F_SETLEASE, F_UNLCK);
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        lock.l_start = ranges[i].start;
        lock.l_len = ranges[i].length;
        sys_fcntl(fd, F_SETLK, (long)&lock);
    }
}

/* Where a close would have told of writes that failed. */
static int write_error(int fd)
{
    int flags = sys_fcntl(fd, F_GETFL, 0);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || !file_system_of(fd).remote)
        return 0;
    long result = sys_call(SYS_fsync, fd, 0, 0, 0, 0, 0);
    return result < 0 ? (int)-result : 0;
}

static void close_after_all(int fd, const struct handle *h)
{
    crossing_close_begins(h->identity.ino);
    if (engine_has(h))
        warn_of_cost(h, too_many);
    sys_close(fd);
    crossing_close_ends(h->identity.ino);
}

static void put_off(int fd, const struct handle *h)
{
    struct place *p = place_new(places(descriptor_limit()));
    if (p == NULL) {
        close_after_all(fd, h);
        return;
    }
    place_fill(p, fd, h->identity);
    place_enter(p);
    /* Whoever forks from here on has a child that closes its copy first, or by its exec. */
    atomic_store(&p->shared, keep_is_shared(h));
    place_publish(p);
    /* The engine's last close finds it, or has been before this look. */
    if (!engine_has(h))
        keep_let_go(h->identity);
}

int keep_put_off(int fd, const struct handle *h, int home)
{
    int error = write_error(fd);
    if (has_locks_to_drop(h))
        drop_locks(fd);
    sys_sigset old = process_hold_signals();
    if (process_home() == home)
        put_off(fd, h);
    else
        sys_close(fd); /* a signal handler has forked, and this is the child */
    process_let_signals(old);
    return error;
}

void keep_open(int fd)
{
    struct stat st;
    struct place *p = sys_fstat(fd, &st) < 0 ? NULL : place_new(places(descriptor_limit()));
    if (p == NULL)
        return;
    place_fill(p, fd, identity_of(&st));
    place_enter(p);
    place_publish(p);
}

/* --- letting go --- */

/* Only an engine that has the file open has locks on it; any of its descriptors may be closed under
 * our hands. */
const struct store *keep_locker(struct identity file)
{
    for (int fd = handle_next(0, ~0u); fd >= 0; fd = handle_next((unsigned)fd + 1, ~0u)) {
        const struct handle h = handle_get(fd);
        if (h.store != NULL && handle_of_its_engine(&h) && identity_same(h.identity, file) &&
            locks_on(h.store, file))
            return h.store;
    }
    return NULL;
}

/* An engine that came since the caller has looked may have a lock by now: then its unlock does it.
 */
void keep_let_go(struct identity file)
{
    if (atomic_load(&own->count) == 0)
        return;
    sys_sigset old = process_hold_signals();
    crossing_close_begins(file.ino);
    crossing_hold_locks(file.ino);
    if (keep_locker(file) == NULL)
        places_close(file);
    crossing_let_locks(file.ino);
    crossing_close_ends(file.ino);
    process_let_signals(old);
}

void keep_let_all_go(void)
{
    for (unsigned i = 0; atomic_load(&own->count) > 0 && i < PLACES_MOST; i++)
        if (atomic_load(&own->all[i].state) == PLACE_PUT_OFF)
            keep_let_go(place_identity(&own->all[i]));
}

void keep_engine_gone(struct identity file)
{
    if (atomic_load(&own->count) > 0 && handle_of_engine(NULL, file) < 0)
        keep_let_go(file);
}

bool track_make_room(void)
{
    bool any = false;
    if (!process_thread_at_home())
        return false;
    sys_sigset old = process_hold_signals();
    for (unsigned i = 0; i < PLACES_MOST; i++) {
        struct place *p = &own->all[i];
        if (!place_claim(p))
            continue;
        struct handle was = {.identity = place_identity(p)};
        crossing_close_begins(was.identity.ino);
        if (engine_has(&was))
            warn_of_cost(&was, "the program has no other descriptors left");
        place_close(p);
        crossing_close_ends(was.identity.ino);
        any = true;
    }
    process_let_signals(old);
    return any;
}

/* --- by its number --- */

bool track_has_put_off(int fd)
{
    bool has = false;
    if (handle_get(fd).role != ROLE_PUT_OFF || !process_thread_at_home())
        return false;
    sys_sigset old = process_hold_signals();
    struct place *p = place_claim_number(fd);
    if (p != NULL) {
        has = place_is_still(p);
        if (has)
            atomic_store(&p->state, PLACE_PUT_OFF);
        else
            place_empty(p);
    }
    process_let_signals(old);
    return has;
}

struct place *keep_give_up(int fd)
{
    struct place *p = place_claim_number(fd);
    if (p == NULL)
        return NULL;
    struct handle was = {.role = ROLE_PRIMARY, .identity = place_identity(p)};
    keep_cannot(fd, fd, &was);
    place_withdraw(p);
    return p;
}

void keep_give_back(struct place *p)
{
    place_enter(p);
    place_publish(p);
}

void keep_given_up(struct place *p)
{
    place_empty(p);
}

void keep_forget(int fd)
{
    for (unsigned i = 0; i < PLACES_MOST; i++) {
        struct place *p = &own->all[i];
        if (atomic_load(&p->fd) == fd && place_claim(p))
            place_empty(p);
    }
}

/* --- children --- */

int track_before_fork(void)
{
    track_shared();
    return process_home();
}

void track_forked(int parent)
{
    if (process_is_stopped())
        return;
    place_forked(parent);
    if ((track_asked() & TRACK_ASKS_SEEN) != 0)
        handle_know_readers(HANDLE_NEAR); /* whom it notes before it has a store, too */
}
