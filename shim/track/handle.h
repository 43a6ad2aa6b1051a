/* The table of descriptors: which files of which stores this process has open.
 *
 * Nothing here takes a lock, and nothing allocates on a close: a close can come from a signal
 * handler that interrupted any of these functions.
 */
#ifndef SETTLE_HANDLE_H
#define SETTLE_HANDLE_H

#include "track/store.h"

/* One descriptor. */
struct handle {
    enum role role; /* ROLE_NONE: untracked */
    struct store *store;
    struct identity identity; /* of the open file itself */
};

enum {
    HANDLE_CHUNK = 1024,
    HANDLE_CHUNKS = 1024
}; /* descriptors 0 to 1048575, Linux's default nr_open */

struct handle_entry {
    /* Role; and the store's number in the registry or, of a candidate, a part of its identity, so
     * that no two files have the same word. 0: untracked. Stored by handle_put, which owns a number
     * that is not in the table as the program owns a descriptor that it has just opened; then
     * changed by exchange (handle_take) and compare-and-swap (handle_promote) only, so that of two
     * threads one gets it. */
    _Atomic uint32_t word;
    /* Written before the word, relaxed: the store of the word orders them. Another thread may read
     * them while the number is used again: whoever needs them to belong to the word changes the
     * word only from what it was before they were read. */
    _Atomic uint64_t dev;
    _Atomic uint64_t ino;
};

struct handle_books {
    /* On all stores together: changed by each handle_put, handle_take and handle_promote. */
    _Atomic uint32_t count;
    /* All descriptors that were ever tracked are below it; handle_put moves it, before the entry's
     * word, and it never falls. */
    _Atomic uint32_t end;
    /* Made by the first handle_put that needs one (compare-and-swap from NULL), never freed. */
    struct handle_entry *_Atomic chunks[HANDLE_CHUNKS];
};

/* Handles of the process on all stores together. */
uint32_t handle_count(void);

/* What is known of a descriptor; ROLE_NONE if nothing. */
struct handle handle_get(int fd);

/* Enters a descriptor, which counts as a handle of the store (its pin is taken over). False where
 * there is no memory for it or the number is beyond the table. Open path only. */
bool handle_put(int fd, struct handle handle);

/* Takes a descriptor out, and gives the pin on its store to the caller. Of two threads that take
 * the same one, one gets ROLE_NONE. *last tells whether it was the last handle of a store whose
 * primary was open at some time since there were none. */
struct handle handle_take(int fd, bool *last);

/* Turns a candidate for `primary` into a handle on the store, which takes a pin of its own. False
 * where the descriptor is no such candidate, or no more: of this and a handle_take at the same
 * time, one finds the candidate. */
bool handle_promote(int fd, struct store *store, struct identity primary);

/* The first tracked descriptor in first..last; -1 if there is none. */
int handle_next(unsigned first, unsigned last);

#endif
