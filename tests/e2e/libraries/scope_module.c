/* A module that uses SQLite: what it calls is bound as the linker likes. As an EXTENSION it calls
 * by the table that it was handed. */
#include <stddef.h>

void *module_open(int way);
int module_exec(void *db);
int module_close(void *db, int way);

#ifdef EXTENSION
struct scope_api {
    int (*open)(const char *path, void **db);
    int (*open16)(const void *path, void **db);
    int (*open_v2)(const char *path, void **db, int flags, const char *vfs);
    int (*exec)(void *db, const char *sql);
    int (*close)(void *db);
    int (*close_v2)(void *db);
};
const struct scope_api *sqlite3_api;
void sqlite3_extension_init(const struct scope_api *table);
void sqlite3_extension_init(const struct scope_api *table)
{
    sqlite3_api = table;
}
#define CALL(name) sqlite3_api->name
#else
int sqlite3_open(const char *path, void **db);
int sqlite3_open16(const void *path, void **db);
int sqlite3_open_v2(const char *path, void **db, int flags, const char *vfs);
int sqlite3_exec(void *db, const char *sql);
int sqlite3_close(void *db);
int sqlite3_close_v2(void *db);
#define CALL(name) sqlite3_##name
#endif

void *module_open(int way)
{
    void *db = NULL;
    if (way == 0)
        CALL(open)("x", &db);
    else if (way == 1)
        CALL(open16)("x", &db);
    else
        CALL(open_v2)("x", &db, 0, NULL);
    return db;
}

int module_exec(void *db)
{
    return CALL(exec)(db, "select 1") + 0;
}

int module_close(void *db, int way)
{
    int result = way == 0 ? CALL(close)(db) : CALL(close_v2)(db);
    return result;
}
