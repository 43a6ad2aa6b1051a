/* SQLite's connections: sqlite3_open and sqlite3_close, whichever SQLite the caller means. */
#include "preload/hooks.h"
#include "preload/real.h"
#include "preload/sqlite.h"
#include "track/connection.h"
#include "track/track.h"

#include <errno.h>

enum { SQLITE_OK = 0, SQLITE_MISUSE = 21 }; /* https://www.sqlite.org/rescode.html */

#define SQLITE_REAL(name)                                                                          \
    ((__typeof__(&name))sqlite_real(SYMBOL_##name, __builtin_return_address(0)))

/* A connection that was opened, for its close to know it. */
static int connected(int result, void *const *db, const void *open_function)
{
#define BESIDE(name) sqlite_beside(SYMBOL_sqlite3_##name, open_function)
    if (result != SQLITE_OK)
        return result;
    int saved = errno;
    const char *(*name_of)(void *, const char *) =
        (const char *(*)(void *, const char *))BESIDE(db_filename);
    const struct sqlite_calls calls = {
        .close = (int (*)(void *))BESIDE(close),
        .close_v2 = (int (*)(void *))BESIDE(close_v2),
        .next_stmt = (void *(*)(void *, void *))BESIDE(next_stmt),
        .filename = name_of,
        .stmt_busy = (int (*)(void *))BESIDE(stmt_busy),
    };
    connection_opened(*db, name_of == NULL ? NULL : name_of(*db, "main"), &calls);
    errno = saved;
    return result;
#undef BESIDE
}

#define SQLITE_OPEN(name, parameters, arguments)                                                   \
    EXPORT int name parameters;                                                                    \
    EXPORT int name parameters                                                                     \
    {                                                                                              \
        __typeof__(&name) function = SQLITE_REAL(name);                                            \
        if (function == NULL)                                                                      \
            return SQLITE_MISUSE;                                                                  \
        track_defer(FRAME);                                                                        \
        int result = function arguments;                                                           \
        int saved = errno;                                                                         \
        track_resume(FRAME);                                                                       \
        errno = saved;                                                                             \
        return connected(result, db, (const void *)function);                                      \
    }
SQLITE_OPEN(sqlite3_open, (const char *path, void **db), (path, db))
SQLITE_OPEN(sqlite3_open16, (const void *path, void **db), (path, db))
SQLITE_OPEN(sqlite3_open_v2, (const char *path, void **db, int flags, const char *vfs),
            (path, db, flags, vfs))

/* The wait comes after the real function has returned: SQLite closes files with a process-wide
 * mutex held. */
static int close_connection(int (*function)(void *), void *db, const struct leaving *leaving)
{
    enum statements left = connection_statements(db, leaving);
    track_defer(FRAME);
    int result = function(db);
    int saved = errno;
    track_resume(FRAME);
    connection_closed(db, leaving, result == SQLITE_OK, left);
    errno = saved;
    return result;
}

/* A connection is closed by the SQLite that made it: where the caller makes a tail call, the return
 * address may be that of a user of another one. */
#define SQLITE_CLOSE(name, member)                                                                 \
    EXPORT int name(void *db);                                                                     \
    EXPORT int name(void *db)                                                                      \
    {                                                                                              \
        struct leaving leaving = connection_closing(db);                                           \
        int (*function)(void *) = leaving.calls.member;                                            \
        if (function == NULL)                                                                      \
            function = SQLITE_REAL(name);                                                          \
        if (function == NULL)                                                                      \
            return SQLITE_MISUSE;                                                                  \
        return close_connection(function, db, &leaving);                                           \
    }
SQLITE_CLOSE(sqlite3_close, close)
SQLITE_CLOSE(sqlite3_close_v2, close_v2)

/* An unloaded SQLite must not be called from memory. dlopen is in tail_calls.S. */
EXPORT int dlclose(void *handle)
{
    int result = real.dlclose(handle);
    int saved = errno;
    sqlite_forget_unloaded();
    connection_forget_unloaded(sqlite_is_loaded);
    errno = saved;
    return result;
}
