/* Keeping the writers of an SQLite database out while it is copied, by BEGIN IMMEDIATE; who reads
 * goes on.
 *
 * POSIX locks are let go when the process closes any descriptor of the file. So from copy_lock_open
 * to copy_lock_end this process opens and closes nothing of the database but by SQLite, which knows
 * of that; another process makes the copy (copier.h).
 *
 * The database stays as it is: nothing is rolled back, folded in or removed. A connection that only
 * reads is asked before each try of the one that may write: it refuses a hot journal, and while it
 * reads, nobody can leave one behind that the other connection would roll back.
 */
#ifndef SETTLE_COPY_LOCK_H
#define SETTLE_COPY_LOCK_H

#include "commands/sqlite_api.h"

#include <limits.h>

enum lock_answer {
    LOCK_TAKEN,
    LOCK_BUSY,   /* somebody writes; try again */
    LOCK_HOT,    /* a crash cut a transaction off that is not rolled back */
    LOCK_FAILED, /* why says why */
};

struct copy_lock {
    const struct sqlite_api *lib;
    sqlite3 *writer, *reader;
    bool no_wal; /* there was no -wal before */
    char wal[PATH_MAX];
};

/* Opens the database. False, with the reason in why, where its writers cannot be kept out. */
bool copy_lock_open(struct copy_lock *lock, const char *database, struct text *why);

/* Tries once, without waiting. */
enum lock_answer copy_lock_try(struct copy_lock *lock, struct text *why);

/* Lets go, and closes the database. Does nothing if it is not open. */
void copy_lock_end(struct copy_lock *lock);

#endif
