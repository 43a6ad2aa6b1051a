#include "track/in_place.h"

#include "base/clock.h"
#include "base/file_system.h"
#include "base/sys.h"
#include "config/rules.h"
#include "helper/helper.h"
#include "helper/log.h"
#include "helper/record.h"
#include "helper/seccomp.h"
#include "track/beside.h"
#include "track/books.h"
#include "track/keep.h"
#include "track/outlasted.h"
#include "track/sum.h"
#include "wait/dotfile.h"
#include "wait/wal.h"

#include <errno.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct closed_books *const own = &BOOKS.closes;

/* --- where it may be asked --- */

/* The locks are those of SQLite, and there is no filter that may kill for it. */
static bool is_plain(const struct store *store)
{
    const struct rule *rule = rules_get(atomic_load(&store->rule));
    return store_profile(store)->engine == ENGINE_SQLITE && rule->until == UNTIL_UNLOCKED &&
           !seccomp_is_on();
}

/* By a helper, which asks for what is left. */
static bool is_told(void)
{
    return record_wanted() || log_wants(LOG_DEBUG);
}

/* An engine that has its store alone is asked by who has it now, and not even tried for. */
static bool is_plain_elsewhere(const struct profile *profile, const char *path)
{
    return (profile->engine == ENGINE_SQLITE || profile->engine == ENGINE_ANY) &&
           !profile->exclusive && rules_get(rules_find(path))->until == UNTIL_UNLOCKED &&
           !sum_wanted() && !record_lists_used();
}

/* Of all children that were waited for. In a fork child they begin anew, as the books do. */
static SYS_OWN_FRAME uint64_t faults_of_children(void)
{
    struct rusage usage;
    if (sys_call(SYS_getrusage, RUSAGE_CHILDREN, (long)&usage, 0, 0, 0, 0) < 0)
        return UINT64_MAX;
    return (uint64_t)usage.ru_minflt;
}

void in_place_opened(int fd)
{
    if (handle_count() == 1 && handle_get(fd).kind == KIND_PRESUMED)
        atomic_store(&own->faults_before, faults_of_children());
}

/* No child now, and none since the first of the handles was opened: one that has ended has left its
 * page faults. Forks that go past the hooks are seen so; keep_is_shared counts the others. */
static SYS_OWN_FRAME bool has_had_no_children(void)
{
    siginfo_t info;
    const long flags = WEXITED | WNOHANG | WNOWAIT | __WALL;
    return sys_call(SYS_waitid, P_ALL, 0, (long)&info, flags, 0, 0) == -ECHILD &&
           faults_of_children() == atomic_load(&own->faults_before);
}

/* Whether another process may take a flock through the description, or have one. SQLite's own is
 * known by number to nobody else; a child that executes a program closes it, and those that go past
 * the hooks (Go's) do nothing else. */
static bool is_shared(int fd, const struct handle *h)
{
    return handle_of_its_engine(h) ? keep_is_shared_for_long(fd, h)
                                   : keep_is_shared(h) || !has_had_no_children();
}

/* --- the question --- */

static bool has_no_lock(int fd, int command)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return sys_fcntl(fd, command, (long)&lock) == 0 && lock.l_type == F_UNLCK;
}

/* By the closing descriptor itself. The last look (F_OFD_GETLK) has told of all POSIX locks, this
 * process's own, too, and of all OFD locks but those of this open file description; F_GETLK tells
 * of those. A flock can only be tried for, and then given back: what another process had through
 * the same description would be gone, and what a mapping is to keep; so nobody may share it, and no
 * flock have been taken (in_place_is_free). */
static bool is_free_by_itself(int fd, const struct handle *h)
{
    if (is_shared(fd, h) || !has_no_lock(fd, F_GETLK) || sys_flock(fd, LOCK_EX | LOCK_NB) != 0)
        return false;
    sys_flock(fd, LOCK_UN);
    return true;
}

static SYS_OWN_FRAME bool is_that_file(int fd, struct identity file)
{
    struct stat st;
    return sys_fstat(fd, &st) == 0 && identity_same(identity_of(&st), file);
}

/* By one that nobody shares and nothing was locked through: its close gives the flock back. */
static bool is_free_by(int fd)
{
    return has_no_lock(fd, F_OFD_GETLK) && sys_flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* By a second descriptor. Its close drops the POSIX locks of this process, of which the last look
 * has just told that there are none; and its number is one that another thread could miss, so there
 * must be no other. */
static bool is_free_by_second(const char *path, struct identity file)
{
    const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW;
    const int fd = helper_other_threads() ? -1 : sys_openat(AT_FDCWD, path, flags, 0);
    if (fd < 0)
        return false;
    const bool is_free = is_that_file(fd, file) && is_free_by(fd);
    sys_close(fd);
    return is_free;
}

/* --- sidecars that stay --- */

/* SQLite closes -shm, -wal and the database one after the other (sqlite3WalClose in its wal.c), and
 * so what the first two have told is not older than what a helper is told. -shm loses its name
 * before it is closed: one that still has it stays, and -wal with it. */
enum { SHM, WAL, STAYING_MOST };

/* Those that this thread has closed so last, and nobody had a lock on. */
static __thread struct {
    struct identity files[STAYING_MOST];
    uint64_t at; /* ns of clock_now: when the first was closed */
} staying __attribute__((tls_model("initial-exec")));

static bool is_leaving(void)
{
    const uint64_t at_once = 10000000;
    return staying.files[SHM].ino != 0 && clock_now() - staying.at < at_once;
}

static bool leaves_free(int fd, const struct handle *h)
{
    return handle_of_its_engine(h) && (h->facts & FACT_FLOCK) == 0 && is_plain(h->store) &&
           file_system_is_local(fd) && is_free_by_itself(fd, h);
}

void in_place_leaves(int fd, const struct handle *h)
{
    const struct identity none = {0, 0};
    if (h->identity.ino == atomic_load(&h->store->shm)) {
        staying.at = clock_now();
        staying.files[SHM] = leaves_free(fd, h) ? h->identity : none;
        staying.files[WAL] = none;
    } else if (is_leaving()) {
        staying.files[WAL] = leaves_free(fd, h) ? h->identity : none;
    }
}

/* What there may be to tell of frames in a -wal, a helper does. */
bool in_place_is_left(const struct store *store, const struct stat *st)
{
    const struct identity file = identity_of(st);
    if (!is_leaving())
        return false;
    if (identity_same(file, staying.files[SHM]))
        return true;
    return identity_same(file, staying.files[WAL]) &&
           (st->st_size <= WAL_EMPTY || !log_wants(LOG_WARN) ||
            (atomic_load(&store->state) & STORE_FRAMES_TOLD) != 0);
}

/* --- the answer --- */

bool in_place_is_free(int fd, const struct handle *h, const char *path, const struct last_look *l)
{
    if (l->look != LOOK_FREE || (h->facts & FACT_FLOCK) != 0 || path[0] != '/' ||
        !is_plain(h->store) || !file_system_is_local(fd))
        return false;
    return is_free_by_itself(fd, h) || is_free_by_second(path, h->identity);
}

/* --- what else there is of the store --- */

static SYS_OWN_FRAME bool leads_to(const char *path, struct identity file)
{
    struct stat st;
    return path[0] == '/' && sys_stat(path, &st) == 0 && identity_same(identity_of(&st), file);
}

bool in_place_is_all(const struct store *store, const char *path, struct last_look *l, int home)
{
    const struct identity file = store_primary(store);
    const bool has_no_dotfile = !dotfile_is_held(path);
    if (has_no_dotfile && !is_told() && beside_is_free(store, path, home))
        return true;
    l->free = has_no_dotfile && leads_to(path, file);
    return false;
}

bool in_place_is_free_elsewhere(int fd, struct identity file, const struct profile *profile,
                                const char *path)
{
    if (!leads_to(path, file) || !is_plain_elsewhere(profile, path) || !file_system_is_local(fd) ||
        dotfile_is_held(path) || !beside_is_nothing(profile, path) || !is_free_by(fd))
        return false;
    sys_flock(fd, LOCK_UN);
    return true;
}

void in_place_settled(struct store *store)
{
    atomic_fetch_add(&store->waited, 1);
    outlasted_forget(store_primary(store));
    store_mark(store, 0, STORE_UNSETTLED | STORE_IN_VAIN);
    sum_ended(false, false, false, 0);
}
