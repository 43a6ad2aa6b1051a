/* What the program's locks tell: whose a descriptor is, and what the engine holds. */
#include "track/locks.h"
#include "track/process.h"
#include "track/track.h"

/* Once a descriptor, but for the first look. */
static void note(int fd, const struct handle *h, unsigned facts)
{
    if ((h->facts & facts) == facts)
        return;
    sys_sigset old = process_hold_signals();
    if (process_thread_at_home())
        handle_note(fd, facts);
    process_let_signals(old);
}

/* An engine that is not SQLite, as far as is known so far. */
static void other_lock(int fd, const struct handle *h, bool held)
{
    if (held)
        note(fd, h, FACT_LOCK);
    if (handle_is_engine(fd) && (h->facts & (FACT_IN_SQLITE | FACT_SQLITE_LOCK)) == 0)
        locks_other(h->store, held);
}

void track_locked(int fd, int command, const struct flock *lock, bool held)
{
    struct handle h = handle_possible(fd) ? handle_get(fd) : (struct handle){.role = ROLE_NONE};
    if (h.role == ROLE_NONE)
        return;
    const bool posix = command == F_SETLK || command == F_SETLKW;
    /* an empty file that is no database yet is locked before its first page is written */
    const enum role role = h.role == ROLE_CANDIDATE ? ROLE_PRIMARY : h.role;
    const bool sqlites = posix && lock != NULL && locks_sqlites(role, lock);
    if (sqlites)
        note(fd, &h, FACT_SQLITE_LOCK | FACT_LOCK);
    if (h.store == NULL)
        return;
    if (posix && lock != NULL)
        locks_changed(h.store, h.role, h.identity, lock);
    if (!sqlites)
        other_lock(fd, &h, held);
}
