/* The live SQLite connections of this process, and what becomes of one that is closed.
 *
 * sqlite3_close_v2 on a connection with unfinalised statements returns at once and leaves a zombie
 * behind, which closes the files when its last statement is finalised
 * (https://www.sqlite.org/c3ref/close.html). Where it was the last connection, the program has
 * closed its store, and the files are still held by itself: so the close waits for another thread
 * to finalise, and says so where there is none. A close that SQLite puts off, since another
 * connection of the process has a lock on the file, is no such case: that connection is live.
 *
 * They also are what is left to go by where a connection's descriptors are not seen: another
 * preloaded library that calls libc directly is before this one, the database is encrypted, so that
 * its content does not tell what it is, or it was opened before a fork whose parent has gone. Then
 * the close waits when sqlite3_close has returned.
 *
 * Keeps errno; takes no lock; memory comes with the first connection opened on a store.
 */
#ifndef SETTLE_CONNECTION_H
#define SETTLE_CONNECTION_H

#include "track/store.h"

/* Functions of the SQLite that made a connection; NULL where it lacks one. */
struct sqlite_calls {
    int (*close)(void *db);
    int (*close_v2)(void *db);
    void *(*next_stmt)(void *db, void *statement);
    int (*stmt_busy)(void *statement);
    const char *(*filename)(void *db, const char *schema);
};

/* The statements of a connection that is about to be closed. */
enum statements {
    STATEMENTS_NONE,
    STATEMENTS_AT_REST, /* some are not finalised, and none has been begun and not ended */
    STATEMENTS_BUSY,    /* somebody is in the middle of one */
};

/* sqlite3_open has made a connection. file: its main database (sqlite3_db_filename); NULL if that
 * cannot be asked. */
void connection_opened(void *db, const char *file, const struct sqlite_calls *calls);

/* Something has been unloaded. Connections of an SQLite that has gone with it are forgotten, or
 * what comes to lie at their addresses would be closed by code that is no longer there. */
void connection_forget_unloaded(bool (*is_loaded)(const void *close_function));

/* A close between its two halves. */
struct leaving {
    bool known;
    struct sqlite_calls calls; /* of a known one */
    struct store *store;       /* NULL: not a connection on a store */
    bool unseen;               /* no handle of it was seen being opened */
    uint32_t waited;           /* for the store, by then */
    int opener;                /* the process that opened it */
    int home;
};

/* Before the real close: the connection is no longer a live one. */
struct leaving connection_closing(void *db);

enum statements connection_statements(void *db, const struct leaving *l);

/* After it. closed: false if it was refused. left: the statements that it had. Waits for the zombie
 * if it was the last connection of the store: for max_wait where one was busy, since its reader
 * comes to its end; else for the fixed delay, since whoever keeps a statement that is done with is
 * as a rule the caller of the close, which can only let go of it afterwards. */
void connection_closed(void *db, const struct leaving *l, bool closed, enum statements left);

#endif
