#include "supervise/mirror.h"

#include "base/clock.h"
#include "base/listing.h"
#include "base/scan.h"
#include "base/sys.h"
#include "config/rules.h"
#include "helper/log.h"
#include "helper/record.h"
#include "holders/proc.h"
#include "holders/sqlite_locks.h"
#include "supervise/peek.h"
#include "track/closed.h"
#include "track/history.h"
#include "track/in_place.h"
#include "track/process.h"
#include "track/sum.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int process;
static int parent;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER; /* whose turn it is with the books */

/* Under the turn: descriptors that were taken out of the books and are not closed yet, each with
 * the number of the call, and those that were found to be inherited. */
enum { KNOWN = 256 };
struct known {
    int fd[KNOWN];
    struct identity file[KNOWN];
    unsigned call[KNOWN];
    unsigned count;
};
static struct known departing;
static struct known inherited;
static unsigned calls_made;

static bool known_has(const struct known *k, int fd, struct identity file)
{
    for (unsigned i = 0; i < k->count; i++)
        if (k->fd[i] == fd && identity_same(k->file[i], file))
            return true;
    return false;
}

static void known_add(struct known *k, int fd, struct identity file, unsigned call)
{
    unsigned at = k->count < KNOWN ? k->count++ : 0;
    k->fd[at] = fd;
    k->file[at] = file;
    k->call[at] = call;
}

static void known_remove(struct known *k, unsigned at)
{
    k->count--;
    k->fd[at] = k->fd[k->count];
    k->file[at] = k->file[k->count];
    k->call[at] = k->call[k->count];
}

/* A number that is being closed again is that of a file which was opened since: so the departure of
 * the one before is over, though nobody has seen it. */
static void forget_departures(int first, int last)
{
    for (unsigned i = 0; i < departing.count;)
        if (departing.fd[i] >= first && departing.fd[i] <= last)
            known_remove(&departing, i);
        else
            i++;
}

void mirror_start(int pid)
{
    struct proc_stat stat;
    process = pid;
    parent = proc_read_stat(&stat, pid) ? stat.parent : 0;
}

int mirror_process(void)
{
    return process;
}

bool mirror_other_threads(void)
{
    struct proc_stat stat;
    return proc_read_stat(&stat, process) && stat.threads > 1;
}

/* --- what is known of a descriptor --- */

struct information {
    int flags;
    unsigned facts;
    bool has_lock; /* one that belongs to the open file */
};

static void add_lock(struct information *in, bool is_shm, char *line)
{
    struct proc_lock lock;
    if (!proc_read_lock(&lock, line))
        return;
    const struct holder *h = &lock.holder;
    in->facts |= FACT_LOCK;
    in->facts |= h->exclusive ? FACT_EXCLUSIVE : FACT_INCLUSIVE;
    if (h->hold == HOLD_FLOCK || h->hold == HOLD_OFD || h->hold == HOLD_LEASE)
        in->has_lock = true;
    else if (sqlite_locks_in(is_shm, h->exclusive, h->start, h->end) != 0)
        in->facts |= FACT_SQLITE_LOCK;
}

static struct information read_information(int pid, int fd, bool is_shm)
{
    struct information in = {.flags = 0};
    struct scan lines;
    char path[48];
    char *line;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", pid, fd);
    if (scan_open(&lines, path) < 0)
        return in;
    while ((line = scan_line(&lines)) != NULL) {
        const char *key = scan_field(&line);
        if (key != NULL && strcmp(key, "flags:") == 0)
            in.flags = proc_read_flags(line + strspn(line, "\t "));
        else if (key != NULL && strcmp(key, "lock:") == 0)
            add_lock(&in, is_shm, line);
    }
    scan_close(&lines);
    if ((in.flags & O_ACCMODE) != O_RDONLY)
        in.facts |= FACT_WRITES;
    if ((in.flags & O_NOFOLLOW) != 0)
        in.facts |= FACT_NOFOLLOW;
    if ((in.flags & O_CLOEXEC) != 0)
        in.facts |= FACT_CLOEXEC;
    return in;
}

/* A fork copies the table, number by number. Where kcmp(2) is refused, as in a container without
 * CAP_SYS_PTRACE, what looks the same is taken for the same. */
static bool is_inherited(int thread, int fd, const struct peek *look, int flags)
{
    struct identity file = identity_of(&look->st);
    if (parent <= 0 || known_has(&inherited, fd, file))
        return parent > 0;
    long result = sys_call(SYS_kcmp, parent, thread, KCMP_FILE, fd, fd, 0);
    if (result == -EPERM || result == -ENOSYS || result == -EACCES) {
        char path[48];
        struct stat st;
        snprintf(path, sizeof path, "/proc/%d/fd/%d", parent, fd);
        result = stat(path, &st) == 0 && identity_same(identity_of(&st), file) &&
                         read_information(parent, fd, false).flags == flags
                     ? 0
                     : 1;
    }
    if (result == 0)
        known_add(&inherited, fd, file, 0);
    return result == 0;
}

/* --- the books --- */

static void enter(int thread, int fd, const struct peek *look)
{
    bool is_shm = look->role == ROLE_SIDECAR && str_ends_with(look->path, "-shm");
    struct information in = read_information(thread, fd, is_shm);
    if ((in.flags & O_PATH) != 0 || is_inherited(thread, fd, look, in.flags))
        return;
    struct handle known = handle_get(fd);
    if (known.role != ROLE_NONE) {
        handle_note(fd, in.facts);
        return;
    }
    struct store *store =
        store_acquire(look->found.primary, look->found.profile, look->found.named.primary);
    if (store == NULL)
        return;
    if (handle_count_of(store) == 0) {
        sum_opened();
        record_used(look->found.named.primary);
    }
    const struct handle h = {
        .role = look->role, .store = store, .identity = identity_of(&look->st), .facts = in.facts};
    if (!handle_put(fd, h))
        store_release(store);
}

static void forget(int fd)
{
    bool last;
    struct handle h = handle_take(fd, &last);
    if (h.store != NULL)
        store_release(h.store);
}

/* Closes that went by unseen: by another way, or by exec. */
static void forget_closed(int directory)
{
    for (int fd = handle_next(0, ~0u); fd >= 0; fd = handle_next((unsigned)fd + 1, ~0u)) {
        char name[16];
        struct stat st;
        snprintf(name, sizeof name, "%d", fd);
        if (fstatat(directory, name, &st, 0) < 0 ||
            !identity_same(identity_of(&st), handle_get(fd).identity))
            forget(fd);
    }
}

static void look_at(int thread, int directory, int fd)
{
    struct peek look;
    if (peek_at(directory, fd, &look) == 0 && look.role != ROLE_NONE &&
        !known_has(&departing, fd, identity_of(&look.st)))
        enter(thread, fd, &look);
}

/* Enters what is not in the books yet. What is there is looked at again when it is closed, for the
 * locks that were taken through it: a program may have a thousand stores open, and close them all.
 */
static void update(int thread, int directory)
{
    struct listing listing;
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", thread);
    forget_closed(directory);
    if (listing_open(&listing, path) < 0)
        return;
    const struct entry *entry;
    while ((entry = listing_next(&listing)) != NULL) {
        int fd = (int)text_number(entry->name);
        if (entry->name[0] != '.' && handle_get(fd).role == ROLE_NONE)
            look_at(thread, directory, fd);
    }
    listing_close(&listing);
}

void mirror_update(int thread, int directory)
{
    pthread_mutex_lock(&turn);
    update(thread, directory);
    pthread_mutex_unlock(&turn);
}

bool mirror_is_free(const struct departure *d)
{
    return d->file >= 0 && in_place_is_free_elsewhere(d->file, d->handle.identity,
                                                      store_profile(d->handle.store), d->path);
}

static void prepare(struct departure *d, int thread, int directory)
{
    struct peek look;
    d->path[0] = '\0';
    d->file = -1;
    d->free = false;
    d->has_lock = read_information(thread, d->fd, false).has_lock;
    d->goes_late =
        d->has_lock || rules_get(atomic_load(&d->handle.store->rule))->until != UNTIL_UNLOCKED;
    if (peek_at(directory, d->fd, &look) != 0)
        return;
    memcpy(d->path, look.path, strlen(look.path) + 1);
    if (d->waits && d->handle.role == ROLE_PRIMARY)
        d->file = peek_open(directory, d->fd);
    d->free = mirror_is_free(d);
}

/* One for which there is no room: it is closed with the others, and nobody waits for it. */
static void let_go(const struct departure *d)
{
    history_closed(d->fd, &d->handle, d->path);
    if (d->file >= 0)
        close(d->file);
    if (d->waits)
        closed_end(d->handle.store, true, process_home());
    else
        store_release(d->handle.store);
}

static void tell_no_room(void)
{
    static bool told;
    if (!told)
        log_say(LOG_WARN, "one call closes more stores than can be waited for together (16); the "
                          "others do not wait");
    told = true;
}

/* In the place of one that does not wait. */
static void take_place(struct departure *departures, const struct departure *d)
{
    int at = 0;
    while (at < DEPARTURES && (!d->waits || departures[at].waits))
        at++;
    if (at < DEPARTURES) {
        let_go(&departures[at]);
        departures[at] = *d;
        return;
    }
    if (d->waits)
        tell_no_room();
    let_go(d);
}

int mirror_take(int thread, int directory, int first, int last, struct departure *departures)
{
    static struct departure beyond; /* under the turn */
    int count = 0;
    pthread_mutex_lock(&turn);
    forget_departures(first, last);
    update(thread, directory);
    calls_made++;
    for (int fd = handle_next((unsigned)first, (unsigned)last); fd >= 0;
         fd = handle_next((unsigned)fd + 1, (unsigned)last)) {
        struct departure *d = count < DEPARTURES ? &departures[count] : &beyond;
        bool is_last;
        look_at(thread, directory, fd);
        d->fd = fd;
        d->handle = handle_take(fd, &is_last);
        if (d->handle.store == NULL)
            continue;
        d->waits = closed_elsewhere(&d->handle, is_last, clock_now());
        d->call = calls_made;
        known_add(&departing, fd, d->handle.identity, d->call);
        prepare(d, thread, directory);
        if (d == &beyond)
            take_place(departures, d);
        else
            count++;
    }
    pthread_mutex_unlock(&turn);
    return count;
}

void mirror_gone(const struct departure *departures, int count)
{
    pthread_mutex_lock(&turn);
    for (unsigned at = 0; count > 0 && at < departing.count;)
        if (departing.call[at] == departures[0].call)
            known_remove(&departing, at);
        else
            at++;
    pthread_mutex_unlock(&turn);
}

bool mirror_still_open(int directory, const struct departure *d)
{
    char name[16];
    struct stat st;
    snprintf(name, sizeof name, "%d", d->fd);
    return fstatat(directory, name, &st, 0) == 0 &&
           identity_same(identity_of(&st), d->handle.identity);
}
