/* What the program's locks tell: whose a descriptor is, and what the engine holds. */
#include "track/crossing.h"
#include "track/keep.h"
#include "track/locks.h"
#include "track/process.h"
#include "track/question.h"
#include "track/readers.h"
#include "track/track.h"

/* Once a descriptor, but for the first look. */
static void note(int fd, const struct handle *h, unsigned facts)
{
    if ((h->facts & facts) == facts || process_is_stopped())
        return;
    sys_sigset old = process_hold_signals();
    if (process_thread_at_home()) {
        handle_note(fd, facts);
        if (h->store != NULL)
            readers_enter(h->store);
        if (h->store != NULL && h->role == ROLE_SIDECAR)
            readers_enter_shm(h->store, h->identity);
    }
    process_let_signals(old);
}

/* An empty file that is no database yet is locked before its first page is written. */
static enum role role_of(const struct handle *h)
{
    return h->role == ROLE_CANDIDATE ? ROLE_PRIMARY : h->role;
}

/* An engine that is not SQLite, as far as is known so far. */
static void other_lock(int fd, const struct handle *h, short type)
{
    if (type != F_UNLCK)
        note(fd, h, FACT_LOCK | (type == F_WRLCK ? FACT_EXCLUSIVE : FACT_INCLUSIVE));
    if (h->store != NULL && handle_is_engine(fd) &&
        (h->facts & (FACT_IN_SQLITE | FACT_SQLITE_LOCK)) == 0)
        locks_other(h->store, type != F_UNLCK);
}

/* How SQLite gives up the last lock of its process on a file, with the mutex of that file held
 * (os_unix.c, posixUnlock). */
static bool is_of_whole_file(const struct flock *lock)
{
    return lock->l_type == F_UNLCK && lock->l_whence == SEEK_SET && lock->l_start == 0 &&
           lock->l_len == 0;
}

/* One that may sleep is on its way for as long as it likes. */
uint64_t track_locking(int fd, int command, const struct flock *lock)
{
    struct handle h = handle_possible(fd) ? handle_get(fd) : (struct handle){.role = ROLE_NONE};
    if (h.role == ROLE_NONE || !sys_is_address(lock) || lock->l_type == F_UNLCK)
        return 0;
    /* Known as the engine's before the closes are looked for: a close that begins later is put off,
     * and one that is not has been before the lock is taken. */
    if (locks_sqlites(role_of(&h), lock))
        note(fd, &h, FACT_SQLITE_LOCK | FACT_LOCK);
    question_await(h.identity.ino);
    if (command != F_SETLK || h.identity.ino == 0) {
        crossing_await_closes(h.identity.ino);
        return 0;
    }
    crossing_lock_begins(h.identity.ino);
    return h.identity.ino;
}

void track_lock_ended(uint64_t begun)
{
    crossing_lock_ends(begun);
}

void track_locked(int fd, int command, const struct flock *lock, short type)
{
    struct handle h = handle_possible(fd) ? handle_get(fd) : (struct handle){.role = ROLE_NONE};
    if (h.role == ROLE_NONE)
        return;
    const bool posix = lock != NULL && (command == F_SETLK || command == F_SETLKW);
    const bool sqlites = posix && locks_sqlites(role_of(&h), lock);
    if (sqlites)
        note(fd, &h, FACT_SQLITE_LOCK | FACT_LOCK);
    if (command == 0)
        note(fd, &h, FACT_FLOCK);
    /* A lock of a program without an engine goes with its close, and is not to keep it. */
    if (posix && h.store != NULL &&
        (lock->l_type == F_UNLCK || sqlites || handle_of_its_engine(&h)))
        locks_changed(h.store, fd, h.role, h.identity, lock);
    if (!sqlites && h.role != ROLE_PUT_OFF)
        other_lock(fd, &h, type);
    if (posix && is_of_whole_file(lock) && handle_of_its_engine(&h) && process_thread_at_home())
        keep_let_go(h.identity);
}

void track_refused(int fd)
{
    struct handle h = handle_get(fd);
    if (h.role != ROLE_NONE && h.role != ROLE_PUT_OFF)
        note(fd, &h, FACT_REFUSED);
}
