/* Descriptors that the program gets: which are handles on a store, and which may yet become one
 * (candidates: empty files that were opened for writing). */
#ifndef SETTLE_OPENED_H
#define SETTLE_OPENED_H

#include "config/settings.h"
#include "track/handle.h"

enum { CANDIDATE_GROUPS = 256 };

struct opened_books {
    /* The entries of ROLE_CANDIDATE in the table, by a part of their identity: counted up before
     * the entry's handle_put, and down by whoever has taken it out or promoted it, so the count is
     * never below what is there. One that a signal handler left by longjmp stays counted. `newest`
     * is a guess, which handle_promote checks. */
    struct candidates {
        _Atomic uint32_t count;
        _Atomic int newest;
    } candidates[CANDIDATE_GROUPS];
};

/* Looks closely at a new descriptor, and enters it if it is a handle. path: as the program gave it;
 * "" if it gave none, and it came from somebody who may have it still. */
void opened_examine(int fd, const struct stat *st, const char *path);

/* An empty file, opened for reading and writing under a name that says nothing, may become a store.
 * flags: as the program opened it. */
void opened_examine_empty(int fd, const struct stat *st, int flags);

/* The store of a database that a hooked sqlite3_open has just opened, pinned, although no handle on
 * it is known; NULL if it is none that is tracked. *past: nor was its open seen, so that calls go
 * past this library; else it was, and the content did not tell what it is (it is encrypted). */
struct store *opened_by_sqlite(const char *file, bool *past);

/* Whether a descriptor of that file may be in the table as a candidate. */
bool opened_may_be_candidate(struct identity file);

/* Takes out all handles that were closed unseen, and says so once. At home. */
void opened_miss_all(void);

/* Takes out the handles on a store that were closed unseen. True if there were any. */
bool opened_forget_closed(const struct store *store);

/* What follows is called at home and with signals held (process_hold_signals). */

/* Enters a descriptor; takes the pin on the handle's store over. */
void opened_enter(int fd, struct handle handle);

/* Takes it out, and gives the pin to the caller; as handle_take. */
struct handle opened_take(int fd, bool *last);

/* Takes out what was closed unseen; opened_miss says so, of a store's primary, once. */
void opened_forget(int fd);
void opened_miss(int fd);

/* Enters one on a store's primary or sidecar that nobody has looked at when it was opened
 * (readers.h); takes the pin over. */
void opened_enter_reader(int fd, struct store *store, enum role role, struct identity file);

/* A candidate that has become a store since it was opened is a primary after all. */
void opened_settle_candidate(int fd, off_t size);

#endif
