/* Which locks the engine of this process holds on a store's files, as it told when it took them.
 *
 * To ask the kernel is no substitute: F_GETLK does not see the process's own POSIX locks, and
 * F_OFD_GETLK names the first lock in the way, which may be another process's SHARED in front of
 * one's own. So the hook of fcntl keeps a book. SQLite locks single bytes and one range, each of
 * which has two bits here (os_unix.c; https://www.sqlite.org/lockingv3.html,
 * https://www.sqlite.org/walformat.html#wal_locks):
 *
 *   database  PENDING, RESERVED, SHARED     bytes 0x40000000, 0x40000001, 510 from 0x40000002
 *   -shm      eight locks of the WAL, DMS   bytes 120 to 127, 128
 *
 * The locks are the process's, whichever descriptor took them, and all of a file's are gone with
 * the close of any descriptor of it (fcntl(2), "Record locks").
 *
 * Every function may be called in a signal handler; a change is one compare-and-swap.
 */
#ifndef SETTLE_LOCKS_H
#define SETTLE_LOCKS_H

#include "track/store.h"

#include <fcntl.h>

/* Whether a lock of that range is one that SQLite takes on a file of that role, and nobody else. */
bool locks_sqlites(enum role role, const struct flock *lock);

/* A POSIX lock was taken, changed or given up through a descriptor of `file`, whatever its range.
 */
void locks_changed(struct store *store, int fd, enum role role, struct identity file,
                   const struct flock *lock);

/* An engine that is not SQLite has taken a lock of any kind, or has given it up. */
void locks_other(struct store *store, bool held);

/* It has taken a lock by dot-file, or has given it up. No close drops that one. */
void locks_dotfile(struct store *store, bool held);

/* A descriptor of `file` was really closed. */
void locks_dropped(struct store *store, struct identity file);

/* Whether the engine holds any lock on that file. */
bool locks_on(const struct store *store, struct identity file);

/* Whether all that it holds there is the one lock that it keeps for as long as a connection with a
 * WAL is open: SHARED on the database, DMS on -shm. Then it is *lock. */
bool locks_kept(const struct store *store, struct identity file, struct flock *lock);

/* Whether it holds one on the primary, and the last was taken by another descriptor than that. */
bool locks_by_another(const struct store *store, int fd);

/* Whether the engine holds more than an idle connection does: none with a rollback journal, SHARED
 * on the database and DMS on -shm with a WAL. Then somebody else may be waiting for this process.
 */
bool locks_beyond_idle(const struct store *store);

#endif
