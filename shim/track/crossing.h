/* Closes and locks of one file that cross. The close of any descriptor of a file drops all POSIX
 * locks that the process has on it, so each of the two is announced before it looks for the other:
 * of two that come at the same time one waits, for some microseconds.
 *
 * A file stands for all that have the same place in the table, so that what happens to others is
 * seldom waited for: among many threads that open and close there is always one in the middle of
 * it, and with fewer processors than threads for some time. A file: its inode number.
 *
 * Each function keeps errno and may be called in a signal handler. One that waits does so for a
 * second at most (base/patience): who was left by longjmp never arrives, and is forgotten then.
 */
#ifndef SETTLE_CROSSING_H
#define SETTLE_CROSSING_H

#include <stdatomic.h>
#include <stdint.h>

enum { CROSSINGS = 16 };

struct crossing {
    /* Closes between their announcement and the real close. Set to 0 by whoever has waited long
     * enough, as the others here; so it never falls below 0, but may be short of some. */
    _Atomic uint32_t closes;
    /* Of these, those that would drop a lock of the engine; and POSIX locks of the engine between
     * the look for these and the note in the books of what came of them. */
    _Atomic uint32_t without_locks;
    _Atomic uint32_t locks;
};

struct crossing_books {
    struct crossing files[CROSSINGS];
    _Atomic uint32_t without_locks; /* the same on any file */
};

/* Around a real close. Returns the file's place, which stands for it in each of these. */
uint8_t crossing_close_begins(uint64_t file);
void crossing_close_ends(uint64_t file);

/* Until no close of the file is on its way to the kernel. */
void crossing_await_closes(uint64_t file);

/* Around a lock: it waits until the closes that are on their way have arrived, and between the two
 * no close is in the middle of what follows. */
void crossing_lock_begins(uint64_t file);
void crossing_lock_ends(uint64_t file);

/* Around the decision whether a close drops a lock of the engine, and that close: between the two
 * no lock on the file is on its way; none on any file. */
void crossing_hold_locks(uint64_t file);
void crossing_let_locks(uint64_t file);
void crossing_hold_all_locks(void);
void crossing_let_all_locks(void);

#endif
