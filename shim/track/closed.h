/* The two halves of a close, before and after the real one. */
#ifndef SETTLE_CLOSED_H
#define SETTLE_CLOSED_H

#include "track/handle.h"
#include "wait/last_look.h"

#include <stdbool.h>
#include <stdint.h>

struct closed_books {
    /* Closes that other threads are in the middle of: out of the table, and not yet closed, waited
     * for and logged. The exit gives them time. Up before the table's entry is taken, so that
     * whoever reads handle_count first and this afterwards misses none; down in closed_end. */
    _Atomic uint32_t unfinished;
    /* Page faults of children that had ended when the first of the handles that are open was
     * opened, where the program opened that itself: written by in_place_opened. 0 before, which a
     * process that had children before its exec has passed already. */
    _Atomic uint64_t faults_before;
};

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
