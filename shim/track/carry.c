#include "track/carry.h"

#include "base/file_system.h"
#include "base/sys.h"
#include "track/books.h"
#include "track/crossing.h"
#include "track/keep.h"
#include "track/locks.h"

static struct places_books *const own = &BOOKS.places;

static bool may_bear(struct place *p, struct identity file)
{
    return identity_same(place_identity(p), file) &&
           (atomic_load(&p->flags) & O_ACCMODE) != O_WRONLY;
}

/* One of those that are put off, which has the lock now and is the caller's; NULL: none can. */
static struct place *bearer_of(const struct flock *lock, struct identity file)
{
    for (unsigned i = 0; i < PLACES_MOST; i++) {
        struct place *p = &own->all[i];
        if (!may_bear(p, file) || !place_claim(p))
            continue;
        const int fd = atomic_load(&p->fd);
        if (may_bear(p, file) && place_is_still(p) && file_system_is_local(fd) &&
            sys_fcntl(fd, F_OFD_SETLK, (long)lock) == 0)
            return p;
        place_publish(p);
    }
    return NULL;
}

/* Where the engine's cannot be taken again for want of memory, the other one stands for it. */
static void give_back(int fd, struct flock *lock)
{
    if (sys_fcntl(fd, F_SETLK, (long)lock) < 0)
        return;
    lock->l_type = F_UNLCK;
    sys_fcntl(fd, F_OFD_SETLK, (long)lock);
}

static void carry_over(struct flock *lock, struct identity file)
{
    struct place *bearer = bearer_of(lock, file);
    if (bearer == NULL)
        return;
    places_close(file);
    give_back(atomic_load(&bearer->fd), lock);
    place_publish(bearer);
}

/* The engine may have given the lock up, or closed the file, before it was taken again for it:
 * whichever looks last for what the other has done, it here or the engine's hook, has the last of
 * them closed, and with it that lock. */
static void carry(struct identity file)
{
    struct flock lock;
    crossing_close_begins(file.ino);
    crossing_hold_locks(file.ino);
    const struct store *locker = keep_locker(file);
    if (locker != NULL && locks_kept(locker, file, &lock))
        carry_over(&lock, file);
    keep_let_go(file);
    crossing_let_locks(file.ino);
    crossing_close_ends(file.ino);
}

/* What the engine does not have open stays: it may be the program's lock, of which nobody knows,
 * that is kept (keep_open). */
void carry_locks_over(void)
{
    for (unsigned i = 0; i < PLACES_MOST; i++) {
        struct place *p = &own->all[i];
        if (atomic_load(&p->state) == PLACE_PUT_OFF &&
            handle_of_engine(NULL, place_identity(p)) >= 0)
            carry(place_identity(p));
    }
}
