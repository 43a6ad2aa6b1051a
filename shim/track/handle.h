/* The table of descriptors: which files of which stores this process has open, and whose they are.
 *
 * The engine is the code that uses the store as a store; every other descriptor that the process
 * has on one of its files is foreign: the program copies, uploads or polls. Who it was is not known
 * at the open. So the table keeps facts, which grow while the descriptor is open, and the kind of
 * the handle is what they say so far.
 *
 * Nothing here takes a lock, and nothing allocates on a close: a close can come from a signal
 * handler that interrupted any of these functions.
 */
#ifndef SETTLE_HANDLE_H
#define SETTLE_HANDLE_H

#include "track/kind.h"
#include "track/store.h"

/* One descriptor. */
struct handle {
    enum role role; /* ROLE_NONE: untracked */
    struct store *store;
    struct identity identity; /* of the open file itself */
    unsigned facts;
    enum kind kind; /* by the facts: set by handle_get and handle_take */
};

enum {
    HANDLE_CHUNK = 2048,
    HANDLE_CHUNKS = 512
}; /* descriptors 0 to 1048575, Linux's default nr_open */

struct handle_entry {
    /* Role; kind, as it is counted in the store; and the store's number in the registry or, of a
     * candidate, a part of its identity, so that no two files have the same word. 0: untracked.
     * Stored by handle_put, which owns a number that is not in the table as the program owns a
     * descriptor that it has just opened; then changed by exchange (handle_take) and
     * compare-and-swap (handle_promote, handle_note) only, so that of two threads one gets it. */
    _Atomic uint32_t word;
    /* enum fact: stored before the word, relaxed; then added to by handle_note. */
    _Atomic uint32_t facts;
    /* Written before the word, relaxed: the store of the word orders them. Another thread may read
     * them while the number is used again: whoever needs them to belong to the word changes the
     * word only from what it was before they were read. */
    _Atomic uint64_t dev;
    _Atomic uint64_t ino;
    /* Of a number that is not in the table: readers.h. */
    _Atomic uint32_t reader;
    /* keep_spawned when it was entered: as dev and ino. */
    _Atomic uint32_t spawned;
};

/* Those of HANDLE_CHUNK descriptors. */
struct handle_chunk {
    /* A bit for each that was ever tracked: set before the entry's word, never cleared, so that a
     * search passes over the others without a look at each. */
    _Atomic uint64_t ever[HANDLE_CHUNK / 64];
    struct handle_entry entries[HANDLE_CHUNK];
};

enum { HANDLE_NEAR = 1024 }; /* in the first chunk */

enum near { NEAR_HANDLE = 1 << 0, NEAR_READER = 1 << 1 };

struct handle_books {
    /* On all stores together, without those that only read: changed with the word of a store. */
    _Atomic uint32_t count;
    /* All descriptors that were ever tracked are below it; handle_put moves it, before the entry's
     * word, and it never falls. */
    _Atomic uint32_t end;
    /* The same of those that were ever tracked or noted as a reader's (readers.h). */
    _Atomic uint32_t known;
    /* Of the numbers that nearly all descriptors have, so that a close has one thing to ask. Of
     * NEAR_HANDLE: not set where the entry's word is 0; set behind the word, cleared behind it, and
     * set again if the word is not 0 then. Of NEAR_READER: there is a note (readers.h). */
    _Atomic uint8_t near[HANDLE_NEAR];
    /* Made by the first handle_put that needs one (compare-and-swap from NULL), never freed. */
    struct handle_chunk *_Atomic chunks[HANDLE_CHUNKS];
};

/* From now on notes of readers count, of the numbers below `end`. */
void handle_know_readers(uint32_t end);

/* Handles of the process on all stores together, without those that only read. */
uint32_t handle_count(void);

/* Those on one store; of them, those of its engine. */
uint32_t handle_count_of(const struct store *store);
uint32_t handle_count_engine(const struct store *store);

/* The place of a number, made if there is none; NULL where there is no memory for it or the number
 * is beyond the table. Open path only. */
struct handle_entry *handle_entry(int fd);

/* What is known of a descriptor; ROLE_NONE if nothing. */
struct handle handle_get(int fd);

/* Enters a descriptor, which counts as a handle of the store (its pin is taken over). False where
 * there is no memory for it or the number is beyond the table. Open path only. */
bool handle_put(int fd, struct handle handle);

/* Takes a descriptor out, and gives the pin on its store to the caller. Of two threads that take
 * the same one, one gets ROLE_NONE. *last tells whether it was the last handle that counts, of a
 * store whose primary was open at some time since there were none. Which count: those of the
 * engine; where none was seen, also those that were opened for writing or took a lock; in a
 * directory of SETTLE_DIRS all, since the user has named them. */
struct handle handle_take(int fd, bool *last);

/* keep_spawned when the descriptor was entered; also of one that has been taken out and is not
 * closed yet. */
uint32_t handle_spawned(int fd);

/* Something more is known of a descriptor. */
void handle_note(int fd, unsigned facts);

/* Whether its engine had the store to itself for as long as the handle had its lock
 * (profile.exclusive): who has it afterwards came later. Where another process may share the
 * description, so is its flock. */
bool handle_had_alone(const struct handle *h);

/* Whether it is the engine's, be it by a file that is no database yet. */
bool handle_of_its_engine(const struct handle *h);

/* Whether the descriptor is one of the engine; whether it is on a store that an engine has open and
 * none of its own, however it was opened. */
bool handle_is_engine(int fd);
bool handle_is_foreign(int fd);

/* Whether a handle on a primary was opened as the engine opens it: it is one, or was opened with
 * the flags of one that only its locks told. So SQLite before 3.31 is never taken for the program.
 */
bool handle_opened_as_engine(const struct handle *handle);

/* A descriptor by which the engine has that file open; -1 if there is none. It may be closed at any
 * time. store: NULL where it is not known. */
int handle_of_engine(const struct store *store, struct identity file);

/* A descriptor that is not in the table becomes ROLE_PUT_OFF, which is no handle. place: keep.c's
 * number for it. */
void handle_put_off(int fd, unsigned place, struct identity file);

/* Takes it out again, if it is still that. */
void handle_end_put_off(int fd, unsigned place);

/* A descriptor whose look is put off (later.h): ROLE_LATER, which is no handle, or looked at just
 * now, by one thread. */
enum later { LATER_NOT, LATER_NOTED, LATER_LOOKED_AT };
enum later handle_later(int fd);

/* False if it is not what it was, or its number has no place in the table; from LATER_NOT: if it is
 * in the table as something. What handle_put has put is none of these. Makes the place: where there
 * is one already, also on the path of a close. */
bool handle_change_later(int fd, enum later from, enum later to);

/* Turns a candidate for `primary` into a handle on the store, which takes a pin of its own. False
 * where the descriptor is no such candidate, or no more: of this and a handle_take at the same
 * time, one finds the candidate. */
bool handle_promote(int fd, struct store *store, struct identity primary);

/* The first tracked descriptor in first..last; -1 if there is none. */
int handle_next(unsigned first, unsigned last);

#endif
