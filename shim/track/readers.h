/* Descriptors that the program has opened to be read, and that nobody has looked at. Who only reads
 * counts for no close and is no use, unless the process has, or had, the file open as a store: so
 * such an open is noted by its number alone, at the price of no system call, and looked at when a
 * lock is taken through it, or when this process's engine opens a store that it may be of. From
 * then on its close, which drops the engine's locks, is put off as any (keep.h).
 *
 * Of stores that are known by their content; of those that are known by their name, where the
 * process has had another one, since their name need not be looked at then. A number that has gone
 * by unseen leaves a note behind, which fstat tells.
 */
#ifndef SETTLE_READERS_H
#define SETTLE_READERS_H

#include "track/store.h"

/* A note: this, whether it has a size that a -shm has, whether its real close is on its way, and
 * facts of the opening. */
enum { READERS_NOTED = 1 << 0, READERS_OF_SHM = 1 << 1, READERS_CLOSING = 1 << 2 };

enum { READERS_NEAR = 1024 };

struct readers_books {
    /* Of the numbers that nearly all descriptors have. A note is 0, or READERS_NOTED and facts,
     * written by whoever owns the number as it owns the descriptor; once that is closed the number
     * may be another's, and READERS_CLOSING is taken back by compare-and-swap. */
    _Atomic uint32_t near[READERS_NEAR];
    /* The notes of the others lie with the handles. All of them that were ever noted are below it;
     * raised before the note, and never falls. */
    _Atomic uint32_t end;
};

/* readers_note (possible.h), of a number from READERS_NEAR on. */
void readers_note_far(int fd, uint32_t note);

/* The number is that of another file now, or has been looked at. */
void readers_forget(int fd);

/* `to` is a copy of `from`. */
void readers_copied(int from, int to);

/* Whether it was noted; then *facts are those of its opening, FACT_SHARED and the time. */
bool readers_has(int fd, unsigned *facts);

/* It was noted, and no child was made since: so this is none that shares the memory (vfork), and
 * whose the note is need not be asked. */
bool readers_is_ours(int fd);

/* The store's engine was seen: those on its primary are entered as handles. Once for each store. At
 * home, with signals held. */
void readers_enter(struct store *store);

/* It has opened or locked a sidecar of the store: the same of that one, if it is a -shm, each time.
 */
void readers_enter_shm(struct store *store, struct identity file);

#endif
