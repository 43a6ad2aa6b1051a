/* The registry of stores and the table of descriptors: which files of which stores this process has
 * open.
 *
 * All of it lives in memory that the kernel empties in a fork child (MADV_WIPEONFORK), so a child
 * starts with nothing of its parent's. A vfork child shares the memory instead; store_at_home tells
 * the two processes apart. Nothing here takes a lock, and nothing allocates on a close: a close can
 * come from a signal handler that interrupted any of these functions.
 */
#ifndef SETTLE_STORE_H
#define SETTLE_STORE_H

#include "config/profile.h"
#include "wait/probe.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A store that has handles now. Free slots are used again. */
struct store {
    _Atomic uint32_t pins; /* users of this record; 0: free; STORE_CLAIMED: changing hands */
    /* Open handles of this process on any of its files; and, in the same word so that the two
     * change together, STORE_OPENED: a handle on the primary was open since there was none last. */
    _Atomic uint32_t handles;
    _Atomic uint64_t dev; /* of the primary */
    _Atomic uint64_t ino;
    const struct profile *_Atomic profile;
    _Atomic uint32_t connections; /* live SQLite connections on it */
    _Atomic uint32_t awaited;     /* closes that wait for its last handle to go (connection.c) */
    _Atomic uint32_t rule;        /* rules_find, when it was opened */
    char *_Atomic path;           /* of the primary, absolute; "" if it could not be determined */
    uint32_t path_room;
};

/* One descriptor. */
struct handle {
    enum role role; /* ROLE_NONE: untracked */
    struct store *store;
    struct identity identity; /* of the open file itself */
};

/* Makes the memory ready. False if the kernel cannot (Linux before 4.14): nothing is tracked then.
 */
bool store_start(void);

/* True in the process that the tables describe. A vfork child is not at home, a fork child is (with
 * empty tables), unless it was made by a raw system call. */
bool store_at_home(void);

/* The pid of the process that the tables describe; 0 where a fork has emptied them and nobody has
 * called store_at_home since. */
int store_home(void);

/* The record of a primary, pinned; made if there is none. NULL where the registry is full or memory
 * is short. Open path only. */
struct store *store_acquire(struct identity primary, const struct profile *profile,
                            const char *path);

/* The record of a primary, pinned, if there is one. */
struct store *store_find(struct identity primary);

/* One more pin on a record that the caller has pinned or that a handle of the caller's pins. */
void store_retain(struct store *s);

void store_release(struct store *s);

/* Makes the memory that store_acquire needs, so that a later store_acquire makes none. */
bool store_reserve(void);

/* Makes pages of zeros, which a fork empties, for a pointer that has none; false without memory.
 * Open path only. */
bool store_publish(void *_Atomic *pointer, size_t size);

/* Whether this process has ever opened a store. */
bool store_any(void);

/* Handles of the process on all stores together. */
uint32_t store_handles_open(void);

/* The quick question of every close: could the descriptor be tracked? One load where it is beyond
 * all that ever were, three at most. */
static inline bool handle_possible(int fd);

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

static const uint32_t STORE_OPENED = 1u << 31;

/* --- what the inline function needs --- */

enum { CANDIDATE_GROUPS = 256 };

enum {
    HANDLE_CHUNK = 1024,
    HANDLE_CHUNKS = 1024
}; /* descriptors 0 to 1048575, Linux's default nr_open */

struct handle_entry {
    /* Role; and the store's number in the registry or, of a candidate, a part of its identity, so
     * that no two files have the same word. 0: untracked */
    _Atomic uint32_t word;
    /* Another thread may read them while the number is used again: whoever needs them to belong to
     * the word changes the word only from what it was before they were read. */
    _Atomic uint64_t dev;
    _Atomic uint64_t ino;
};

/* What every process uses first, so that it shares a page. */
struct store_root {
    _Atomic int maker; /* the thread whose turn it is to make a record; 0: nobody's */
    _Atomic int home;  /* pid; 0 after a fork */
    struct store *_Atomic stores;
    char *_Atomic names;
    _Atomic uint32_t names_used;
    _Atomic uint32_t handles;
    _Atomic uint32_t closing;    /* track.c: closes on their way to the kernel */
    _Atomic uint32_t unfinished; /* track.c: closes between their two halves */
    _Atomic uint32_t waits;      /* block.c: waits that are announced or running */
    _Atomic uint64_t spent;      /* budget.c, as are the next two */
    _Atomic uint64_t taken;
    _Atomic bool end_known;
    /* All descriptors that were ever tracked are below it; it never falls. */
    _Atomic uint32_t end;
    struct handle_entry *_Atomic chunks[HANDLE_CHUNKS];
    /* track.c: the entries of ROLE_CANDIDATE, by a part of their identity */
    struct candidates {
        _Atomic uint32_t count;
        _Atomic int newest;
    } candidates[CANDIDATE_GROUPS];
};

/* The pages of the root have nothing else in them, wherever they begin. */
enum { STORE_PAGE = 4096 };
extern struct store_memory {
    char before[STORE_PAGE];
    struct store_root root;
    char behind[STORE_PAGE];
} store_memory __attribute__((visibility("hidden")));

static inline bool handle_possible(int fd)
{
    if ((unsigned)fd >= atomic_load_explicit(&store_memory.root.end, memory_order_relaxed))
        return false;
    struct handle_entry *_Atomic *chunks = store_memory.root.chunks;
    __asm__("" : "+r"(chunks)); /* or its offset is added to the index, with an instruction more */
    struct handle_entry *chunk =
        atomic_load_explicit(&chunks[(unsigned)fd / HANDLE_CHUNK], memory_order_relaxed);
    return chunk != NULL && atomic_load_explicit(&chunk[(unsigned)fd % HANDLE_CHUNK].word,
                                                 memory_order_relaxed) != 0;
}

#endif
