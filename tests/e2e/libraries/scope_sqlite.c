/* A library with the names of SQLite that tells which copy it is (ID): each call prints its number,
 * and that of the copy which made the connection. With MODULE it is a module that brings it. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

struct scope_api {
    int (*open)(const char *path, void **db);
    int (*open16)(const void *path, void **db);
    int (*open_v2)(const char *path, void **db, int flags, const char *vfs);
    int (*exec)(void *db, const char *sql);
    int (*close)(void *db);
    int (*close_v2)(void *db);
};

int sqlite3_open(const char *path, void **db);
int sqlite3_open16(const void *path, void **db);
int sqlite3_open_v2(const char *path, void **db, int flags, const char *vfs);
int sqlite3_exec(void *db, const char *sql);
int sqlite3_close(void *db);
int sqlite3_close_v2(void *db);
const char *sqlite3_db_filename(void *db, const char *name);
void *sqlite3_next_stmt(void *db, void *statement);
int sqlite3_load_extension(void *db, const char *path);

static int made(void **db, const char *call)
{
    int *connection = malloc(sizeof *connection);
    *connection = ID;
    *db = connection;
    printf("%s in %d\n", call, ID);
    return 0;
}

static int used(void *db, const char *call)
{
    printf("%s in %d of one made in %d\n", call, ID, db == NULL ? 0 : *(int *)db);
    return 0;
}

int sqlite3_open(const char *path, void **db)
{
    (void)path;
    return made(db, "open");
}

int sqlite3_open16(const void *path, void **db)
{
    (void)path;
    return made(db, "open16");
}

int sqlite3_open_v2(const char *path, void **db, int flags, const char *vfs)
{
    (void)path, (void)flags, (void)vfs;
    return made(db, "open_v2");
}

int sqlite3_exec(void *db, const char *sql)
{
    (void)sql;
    return used(db, "exec");
}

int sqlite3_close(void *db)
{
    return used(db, "close");
}

int sqlite3_close_v2(void *db)
{
    return used(db, "close_v2");
}

const char *sqlite3_db_filename(void *db, const char *name)
{
    (void)db, (void)name;
    return NULL;
}

void *sqlite3_next_stmt(void *db, void *statement)
{
    (void)db, (void)statement;
    return NULL;
}

/* As SQLite hands its functions to an extension: by references of its own. */
static const struct scope_api api = {sqlite3_open, sqlite3_open16, sqlite3_open_v2,
                                     sqlite3_exec, sqlite3_close,  sqlite3_close_v2};

int sqlite3_load_extension(void *db, const char *path)
{
    (void)db;
    void *extension = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void (*start)(const struct scope_api *);
    if (extension == NULL)
        return 1;
    *(void **)&start = dlsym(extension, "sqlite3_extension_init");
    start(&api);
    return 0;
}

#ifdef MODULE
#include "scope_module.c"
#endif
