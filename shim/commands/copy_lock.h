/* Keeping the writers of a store out while it is copied; who reads goes on. Of SQLite by BEGIN
 * IMMEDIATE; of engines that lock their whole primary for as long as they have it open to write, by
 * a shared lock on that, POSIX or flock as the engine takes.
 *
 * POSIX locks are let go when the process closes any descriptor of the file. So from copy_lock_open
 * to copy_lock_end this process opens and closes nothing of the primary but by SQLite, which knows
 * of that; another process makes the copy (copier.h).
 *
 * An SQLite database stays as it is: nothing is rolled back, folded in or removed; but what is in
 * the -wal when a program closes the database meanwhile, and would have been folded in by that
 * close if this process had not been there, is folded in by ours. A connection that only reads is
 * asked before each try of the one that may write: it refuses a hot journal, and while it reads,
 * nobody can leave one behind that the other connection would roll back.
 */
#ifndef SETTLE_COPY_LOCK_H
#define SETTLE_COPY_LOCK_H

#include "commands/sqlite_api.h"
#include "config/profile.h"

#include <limits.h>

enum lock_answer {
    LOCK_TAKEN,
    LOCK_BUSY,   /* somebody writes; try again */
    LOCK_HOT,    /* a crash cut a transaction off that is not rolled back */
    LOCK_FAILED, /* why says why */
};

struct copy_lock {
    const struct profile *profile; /* NULL: it is not open */
    /* of SQLite */
    const struct sqlite_api *lib;
    sqlite3 *writer, *reader;
    bool folds; /* there was no -wal, or somebody had the database open: the last one folds it in */
    /* of others */
    int primary;
};

/* Opens the primary. False, with the reason in why, where its writers cannot be kept out. */
bool copy_lock_open(struct copy_lock *lock, const char *primary, const struct profile *profile,
                    struct text *why);

/* Tries once, without waiting. */
enum lock_answer copy_lock_try(struct copy_lock *lock, struct text *why);

/* Lets go, and closes the database. Does nothing if it is not open. */
void copy_lock_end(struct copy_lock *lock);

#endif
