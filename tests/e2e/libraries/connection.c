/* A module with an SQLite of its own, as an interpreter's binding is one: connections by way of the
 * SQLite that it is linked with. */
#include <sqlite3.h>
#include <stddef.h>

void *module_open(const char *path);
int module_close(void *connection);
long long module_memory(void);
const void *module_sqlite(void);

void *module_open(const char *path)
{
    sqlite3 *connection = NULL;
    if (sqlite3_open(path, &connection) != SQLITE_OK ||
        sqlite3_exec(connection, "create table if not exists t(a)", NULL, NULL, NULL) != SQLITE_OK)
        return NULL;
    return connection;
}

/* A tail call in the builds that are told to make them. */
int module_close(void *connection)
{
    return sqlite3_close_v2(connection);
}

/* Of this copy of SQLite alone. */
long long module_memory(void)
{
    return sqlite3_memory_used();
}

/* Somewhere in it. */
const void *module_sqlite(void)
{
    return sqlite3_libversion();
}
