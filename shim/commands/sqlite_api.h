/* libsqlite3, which is loaded only where it is needed: no header and no library of it is needed to
 * build. In a static settle-wait it is what was linked in, if it was (shim/build.mk).
 */
#ifndef SETTLE_SQLITE_API_H
#define SETTLE_SQLITE_API_H

#include "base/text.h"

#include <stdbool.h>

typedef struct sqlite3 sqlite3;

/* The few numbers of sqlite3.h that are used here: https://www.sqlite.org/rescode.html and
 * https://www.sqlite.org/c3ref/constlist.html. */
enum {
    SQLITE_OK = 0,
    SQLITE_BUSY = 5,
    SQLITE_LOCKED = 6,
    SQLITE_INTERRUPT = 9,
    SQLITE_PROTOCOL = 15,
    SQLITE_READONLY_ROLLBACK = 776, /* extended */
    SQLITE_OPEN_READONLY = 1,
    SQLITE_OPEN_READWRITE = 2,
    SQLITE_CHECKPOINT_TRUNCATE = 3,
    SQLITE_FCNTL_PERSIST_WAL = 10,
    SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE = 1006,
};

/* What exec calls for each row; not 0 ends it. */
typedef int sqlite_row(void *context, int columns, char **values, char **names);

struct sqlite_api {
    int (*open_v2)(const char *path, sqlite3 **db, int flags, const char *vfs);
    int (*close)(sqlite3 *db);
    int (*exec)(sqlite3 *db, const char *sql, sqlite_row *row, void *context, char **message);
    int (*wal_checkpoint_v2)(sqlite3 *db, const char *name, int mode, int *frames, int *folded);
    int (*extended_result_codes)(sqlite3 *db, int on);
    int (*db_readonly)(sqlite3 *db, const char *name);
    int (*db_config)(sqlite3 *db, int what, ...);
    int (*file_control)(sqlite3 *db, const char *name, int what, void *value);
    void (*progress_handler)(sqlite3 *db, int steps, int (*ask)(void *), void *context);
    const char *(*errmsg)(sqlite3 *db);
};

/* The functions; NULL, with the reason in why, if there is no libsqlite3. option: what needs it. */
const struct sqlite_api *sqlite_load(const char *option, struct text *why);

/* True of results that say that another connection is in the way for now. */
bool sqlite_is_busy(int result);

#endif
