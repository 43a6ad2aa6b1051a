/* As much of an SQLite as connection.c needs, which takes no connections but its own. Two versions
 * of the real one would take each other's, and crash. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

struct sqlite3 {
    const char *opened_by;
    int fd;
};

static const char me[] = "picky";
static long long memory;

int sqlite3_open(const char *path, sqlite3 **out)
{
    sqlite3 *connection = malloc(sizeof *connection);
    if (connection == NULL)
        return SQLITE_NOMEM;
    memory += (long long)sizeof *connection;
    connection->opened_by = me;
    connection->fd = open(path, O_RDWR | O_CLOEXEC);
    *out = connection;
    return SQLITE_OK;
}

int sqlite3_exec(sqlite3 *connection, const char *sql,
                 int (*callback)(void *, int, char **, char **), void *context, char **error)
{
    (void)sql;
    (void)callback;
    (void)context;
    (void)error;
    return connection->opened_by == me ? SQLITE_OK : SQLITE_MISUSE;
}

int sqlite3_close_v2(sqlite3 *connection)
{
    if (connection == NULL || connection->opened_by != me)
        return SQLITE_MISUSE;
    memory -= (long long)sizeof *connection;
    close(connection->fd);
    free(connection);
    return SQLITE_OK;
}

sqlite3_int64 sqlite3_memory_used(void)
{
    return memory;
}

const char *sqlite3_libversion(void)
{
    return me;
}
