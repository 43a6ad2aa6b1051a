#include "track/locks.h"

/* What SQLite locks at once, from its first byte on. */
struct slot {
    uint64_t first, length;
};
enum { PENDING, RESERVED, SHARED, WAL, DMS = WAL + 8, SLOTS };
static const struct slot slots[SLOTS] = {
    [PENDING] = {0x40000000, 1},  [RESERVED] = {0x40000001, 1},
    [SHARED] = {0x40000002, 510}, [WAL] = {120, 1},
    [WAL + 1] = {121, 1},         [WAL + 2] = {122, 1},
    [WAL + 3] = {123, 1},         [WAL + 4] = {124, 1},
    [WAL + 5] = {125, 1},         [WAL + 6] = {126, 1},
    [WAL + 7] = {127, 1},         [DMS] = {128, 1},
};

enum { READS = 1, WRITES = 2, BOTH = READS | WRITES };

static uint64_t bits(int slot, unsigned kinds)
{
    return (uint64_t)kinds << (2 * slot);
}

static const uint64_t of_database = 0x3f; /* all bits of the slots before WAL */
static const uint64_t of_shm = 0x3ffffull << (2 * WAL);
static const uint64_t of_others = 1ull << 63;
static const uint64_t of_dotfile = 1ull << 62;

/* One past the last byte; a length of 0 reaches to the end of whatever length the file gets. */
static uint64_t end_of(const struct flock *lock)
{
    return lock->l_len == 0 ? UINT64_MAX : (uint64_t)(lock->l_start + lock->l_len);
}

static bool from_start(const struct flock *lock)
{
    return lock->l_whence == SEEK_SET && lock->l_start >= 0 && lock->l_len >= 0;
}

/* The slots of a file's role that lie whole in a range: SQLite gives up PENDING and RESERVED in one
 * call, and all that it has in another. */
static uint64_t covered(enum role role, const struct flock *lock)
{
    uint64_t found = 0;
    const int first = role == ROLE_PRIMARY ? PENDING : WAL;
    const int end = role == ROLE_PRIMARY ? WAL : SLOTS;
    for (int i = first; from_start(lock) && i < end; i++)
        if ((uint64_t)lock->l_start <= slots[i].first &&
            slots[i].first + slots[i].length <= end_of(lock))
            found |= bits(i, BOTH);
    return found;
}

bool locks_sqlites(enum role role, const struct flock *lock)
{
    if (lock->l_type == F_UNLCK || !from_start(lock) || lock->l_len == 0)
        return false;
    const uint64_t first = (uint64_t)lock->l_start;
    const uint64_t length = (uint64_t)lock->l_len;
    for (int i = PENDING; role == ROLE_PRIMARY && i <= SHARED; i++)
        if (first == slots[i].first && length == slots[i].length)
            return true;
    /* several of the WAL's at once (unixShmLock) */
    return role == ROLE_SIDECAR && first >= slots[WAL].first &&
           end_of(lock) <= slots[DMS].first + 1;
}

static void change(struct store *store, uint64_t away, uint64_t in)
{
    uint64_t locks = atomic_load(&store->locks);
    while (!atomic_compare_exchange_weak(&store->locks, &locks, (locks & ~away) | in))
        ;
}

/* The bits of `slots_found` that stand for the type of lock. */
static uint64_t of_type(uint64_t slots_found, short type)
{
    const uint64_t reads = 0x5555555555555555u;
    if (type == F_UNLCK)
        return 0;
    return slots_found & (type == F_RDLCK ? reads : ~reads);
}

void locks_changed(struct store *store, int fd, enum role role, struct identity file,
                   const struct flock *lock)
{
    uint64_t found = covered(role, lock);
    if (found == 0)
        return;
    if (role == ROLE_SIDECAR && lock->l_type != F_UNLCK)
        atomic_store(&store->shm, file.ino);
    if (role == ROLE_PRIMARY && lock->l_type != F_UNLCK)
        atomic_store(&store->locker, fd);
    change(store, found, of_type(found, lock->l_type));
}

void locks_other(struct store *store, bool held)
{
    change(store, of_others, held ? of_others : 0);
}

void locks_dotfile(struct store *store, bool held)
{
    change(store, of_dotfile, held ? of_dotfile : 0);
}

static uint64_t bits_of(const struct store *store, struct identity file)
{
    if (file.dev != atomic_load(&store->dev))
        return 0;
    if (file.ino == atomic_load(&store->ino))
        return of_database | of_others;
    return file.ino == atomic_load(&store->shm) ? of_shm : 0;
}

void locks_dropped(struct store *store, struct identity file)
{
    if ((atomic_load(&store->locks) & bits_of(store, file)) != 0)
        change(store, bits_of(store, file), 0);
}

bool locks_on(const struct store *store, struct identity file)
{
    return (atomic_load(&store->locks) & bits_of(store, file)) != 0;
}

bool locks_kept(const struct store *store, struct identity file, struct flock *lock)
{
    const uint64_t held = atomic_load(&store->locks) & bits_of(store, file);
    const int slot = held == bits(SHARED, READS) ? SHARED : held == bits(DMS, READS) ? DMS : SLOTS;
    if (slot == SLOTS)
        return false;
    *lock = (struct flock){.l_type = F_RDLCK,
                           .l_whence = SEEK_SET,
                           .l_start = (off_t)slots[slot].first,
                           .l_len = (off_t)slots[slot].length};
    return true;
}

bool locks_by_another(const struct store *store, int fd)
{
    return (atomic_load(&store->locks) & of_database) != 0 && atomic_load(&store->locker) != fd;
}

bool locks_beyond_idle(const struct store *store)
{
    const uint64_t locks = atomic_load(&store->locks);
    const uint64_t idle = bits(SHARED, READS) | bits(DMS, READS);
    /* SHARED alone is a reader of a database without a WAL */
    return locks != 0 && locks != idle && locks != bits(DMS, READS);
}
