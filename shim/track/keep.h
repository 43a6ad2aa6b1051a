/* A program keeps its own locks: closes that are put off.
 *
 * Closing any descriptor of a file drops all POSIX locks that the process has on it (fcntl(2),
 * "Record locks"), those of its SQLite, too. So while the engine has a file open, the real close of
 * a foreign descriptor on it waits until the engine has let go of its locks by itself; the program
 * is told that it is closed.
 *
 *   put off     the program's close came while the engine has the file open
 *   let go      the engine unlocks the whole file, or closes its last descriptor of it: now the
 *               real closes drop nothing, and SQLite's own mutex keeps its other threads from
 *               locking meanwhile
 *   taken up    an open of the same file gets the descriptor again, so that their number stays that
 *               of the copies that the program makes at the same time
 *
 * Each function keeps errno, takes no lock, allocates nothing, and may be called in a signal
 * handler.
 */
#ifndef SETTLE_KEEP_H
#define SETTLE_KEEP_H

#include "track/places.h"

/* How often something happened by which somebody else can have got the descriptions that were open
 * then. A fork child goes on counting from its parent's; tail_calls.S counts, too. */
extern _Atomic uint32_t keep_sharings __attribute__((visibility("hidden")));

/* on: SETTLE_KEEP_LOCKS. */
void keep_start(bool on);

/* That number, as a fact (enum fact). */
unsigned keep_time(void);

/* Of these, those whose child does nothing but execute a program: it closes then what was opened
 * with O_CLOEXEC. */
uint32_t keep_spawned(void);

/* Whether somebody else may have the description of a handle: a copy, a child, whoever got a
 * message. */
bool keep_is_shared(const struct handle *h);

/* Whether somebody may have it for longer than a child that executes a program at once. fd: where
 * the handle still is open. */
bool keep_is_shared_for_long(int fd, const struct handle *h);

/* Whether the close of a descriptor is to be put off. h: what it was in the table, from which it
 * has been taken. Where that cannot be, the real close costs the engine its locks, and a warning
 * says so, once. */
bool keep_wants(int fd, const struct handle *h);

/* The same of a close that cannot be put off, since the number is taken by force or the libc closes
 * it: says what it costs. fd..last: the numbers that are closed. */
void keep_cannot(int fd, int last, const struct handle *h);

/* Puts the close of such a descriptor off, after all else that the program wants of it has been
 * done. home: the process whose table it was taken from. Returns what the close would have: 0 or an
 * error number. */
int keep_put_off(int fd, const struct handle *h, int home);

/* A descriptor of the library's own, whose close might drop a lock of the program's that is known
 * to nobody: it stays open, as one that is put off. At home, with signals held. */
void keep_open(int fd);

/* What follows is called at home (process_thread_at_home). */

/* The store whose engine has a lock on that file; NULL: none has. */
const struct store *keep_locker(struct identity file);

/* The engine has unlocked the whole of a file, and takes no lock on it before the caller returns:
 * the closes that were put off are done. */
void keep_let_go(struct identity file);

/* The same of each file that no engine has locked. */
void keep_let_all_go(void);

/* A descriptor of the engine has gone: if it was the last on that file, keep_let_go. */
void keep_engine_gone(struct identity file);

/* The program closes a number that is put off by force (dup2, close_range): it is put off no more,
 * and the caller's to close. keep_give_back: or not. keep_given_up: it has been. NULL: there is
 * none. With signals held. */
struct place *keep_give_up(int fd);
void keep_give_back(struct place *place);
void keep_given_up(struct place *place);

/* What was put off under that number was closed unseen. With signals held. */
void keep_forget(int fd);

#endif
