/* The two halves of a close, before and after the real one. */
#ifndef SETTLE_CLOSED_H
#define SETTLE_CLOSED_H

#include "track/handle.h"
#include "wait/last_look.h"

#include <stdbool.h>
#include <stdint.h>

struct closed_books {
    /* Closes between the first half and the real close: up in track_closing, down in track_closed
     * and track_not_closed, set to 0 by a track_locking that has waited long enough. So it never
     * falls below 0, but may be short of some. */
    _Atomic uint32_t on_their_way;
    /* Of these, those that would drop a lock of the engine; and POSIX locks of the engine between
     * the look for these and the note in the books of what came of them. Each is up before the
     * other is looked at, and set to 0 by whoever has waited long enough for it. */
    _Atomic uint32_t without_locks;
    _Atomic uint32_t locks_on_their_way;
    /* Closes that other threads are in the middle of: out of the table, and not yet closed, waited
     * for and logged. The exit gives them time. Up before the table's entry is taken, so that
     * whoever reads handle_count first and this afterwards misses none; down in closed_end. */
    _Atomic uint32_t unfinished;
    /* Page faults of children that had ended when the first of the handles that are open was
     * opened, where the program opened that itself: written by in_place_opened. 0 before, which a
     * process that had children before its exec has passed already. */
    _Atomic uint64_t faults_before;
};

/* Around a real close that is not between a track_closing and a track_closed. */
void closed_set_out(void);
void closed_arrive(void);

/* Until no close is on its way to the kernel; for 100 ms at most. */
void closed_await(void);

/* Around a lock: it waits until the closes that are on their way have arrived (closed_await), and
 * between the two no close is in the middle of what follows. */
void closed_lock_set_out(void);
void closed_lock_arrived(void);

/* Around the decision whether a close drops a lock of the engine, and that close: between the two
 * no lock is on its way. Each of the four waits for 100 ms at most. */
void closed_hold_locks_off(void);
void closed_let_locks(void);

/* How many closes are unfinished. */
uint32_t closed_unfinished(void);

/* A close of the store's files, or of a connection on it, begins and ends: whoever uses the store
 * meanwhile waits for that. */
void closed_under_way(struct store *store, uint64_t now);
void closed_arrived(struct store *store);

/* Whether there is one. patience: ns, after which one that began then is taken for left by longjmp.
 */
bool closed_is_under_way(struct store *store, uint64_t patience);

/* A close of the store has come to its end; gives the pin back (NULL: a candidate, which has none).
 * connections: closed_under_way was called for it. Does nothing in a fork child that a signal
 * handler made since the process `home` took the handle out: there is nothing to be put back. */
void closed_end(struct store *store, bool connections, int home);

/* Of a close in another process, whose books these are (supervise/): its handle was taken out.
 * Whether it is to wait; then it is under way, and closed_wait ends it. last: as handle_take has
 * it. now: clock_now. */
bool closed_elsewhere(const struct handle *handle, bool last, uint64_t now);

/* Waits, and ends the close. path: where the primary is now; "" if it is as when it was opened. */
void closed_wait(struct store *store, const char *path, const struct last_look *last_look,
                 int home);

#endif
