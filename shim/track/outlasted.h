/* Holders that outlasted a wait: an idle connection that was there from its beginning to its end.
 * Nothing says that it will ever let go, so later closes give it the fixed delay, until it has been
 * seen gone: the store was found free, or the process is another one by its pid and start time. A
 * writer is never one of these, since each write is a new one, nor who has no pid here (another
 * container, OFD locks): nothing tells it from the next.
 */
#ifndef SETTLE_OUTLASTED_H
#define SETTLE_OUTLASTED_H

#include "base/identity.h"

#include <stdatomic.h>

enum { OUTLASTED_MOST = 32 };

struct outlasted_books {
    /* Entries that were ever made: 0 spares the search. Raised by outlasted_add; the next entry to
     * be given away where all are taken. */
    _Atomic uint32_t made;
    struct outlasted_entry {
        /* pid; 0: free; UINT32_MAX: being written by whoever has swapped that in. Whoever reads the
         * rest looks before and afterwards whether it is the same. */
        _Atomic uint32_t pid;
        atomic_bool told;
        _Atomic uint64_t start; /* when the process began, as the kernel counts it */
        _Atomic uint64_t dev;   /* of the database */
        _Atomic uint64_t ino;
    } entries[OUTLASTED_MOST];
};

void outlasted_add(struct identity database, int pid, uint64_t start);

bool outlasted_knows(struct identity database, int pid, uint64_t start);

/* Nobody holds the database now. */
void outlasted_forget(struct identity database);

/* True the first time that it is asked of one that is known. */
bool outlasted_tells(struct identity database, int pid, uint64_t start);

#endif
