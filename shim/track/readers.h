/* Descriptors that the program has opened to be read, and that nobody has looked at. Who only reads
 * counts for no close and is no use, unless the process has, or had, the file open as a store: so
 * such an open is noted by its number alone, at the price of no system call, and looked at when a
 * lock is taken through it, or when this process's engine opens a store that it may be of. From
 * then on its close, which drops the engine's locks, is put off as any (keep.h).
 *
 * Only where stores are known by their content; those that are known by their name are seen by it.
 * A number that has gone by unseen leaves a note behind, which fstat tells.
 */
#ifndef SETTLE_READERS_H
#define SETTLE_READERS_H

#include "track/store.h"

struct readers_books {
    /* All that were ever noted are below it; raised before the note, and never falls. The notes lie
     * with the handles: 0, or NOTED and facts of the opening, written by whoever owns the number as
     * it owns the descriptor. */
    _Atomic uint32_t end;
};

/* One was opened. Before it is asked which stores there are: readers_enter has it the other way
 * round, so that one of the two finds the other. */
void readers_note(int fd);

/* The number is that of another file now, or has been looked at. */
void readers_forget(int fd);

/* `to` is a copy of `from`. */
void readers_copied(int from, int to);

/* Whether it was noted; then *facts are those of its opening, FACT_SHARED and the time. */
bool readers_has(int fd, unsigned *facts);

/* The store's engine was seen: those on its primary are entered as handles. Once for each store. At
 * home, with signals held. */
void readers_enter(struct store *store);

#endif
