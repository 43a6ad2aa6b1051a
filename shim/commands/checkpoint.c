#include "commands/checkpoint.h"

#include "base/descriptor.h"
#include "base/sys.h"
#include "wait/wal.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* The few things of sqlite3.h that are used here, so that no header of it is needed to build. */
typedef struct sqlite3 sqlite3;
enum {
    SQLITE_OK = 0,
    SQLITE_BUSY = 5,
    SQLITE_LOCKED = 6,
    SQLITE_OPEN_READWRITE = 2,
    SQLITE_CHECKPOINT_TRUNCATE = 3
};

static struct {
    int (*open_v2)(const char *, sqlite3 **, int, const char *);
    int (*close)(sqlite3 *);
    int (*exec)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);
    int (*wal_checkpoint_v2)(sqlite3 *, const char *, int, int *, int *);
    const char *(*errmsg)(sqlite3 *);
} lib;

#ifdef SETTLE_STATIC
/* glibc's dlopen in a static program wants the very glibc that it was built with. */
static bool load(struct text *why)
{
    text_str(why, "--checkpoint needs libsqlite3, which a static settle-wait cannot load");
    return false;
}
#else
static bool find(void *handle, const char *name, void *function)
{
    void *symbol = dlsym(handle, name);
    *(void **)function = symbol;
    return symbol != NULL;
}

static bool load(struct text *why)
{
    void *handle = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
    bool found = handle != NULL && find(handle, "sqlite3_open_v2", &lib.open_v2) &&
                 find(handle, "sqlite3_close", &lib.close) &&
                 find(handle, "sqlite3_exec", &lib.exec) &&
                 find(handle, "sqlite3_wal_checkpoint_v2", &lib.wal_checkpoint_v2) &&
                 find(handle, "sqlite3_errmsg", &lib.errmsg);
    if (!found) {
        text_str(why, "--checkpoint needs libsqlite3: ");
        text_str(why, dlerror());
    }
    return found;
}
#endif

static bool is_whole(const char *database)
{
    return wal_frames_missing(database, UINT64_MAX) == 0 && !wal_journal_is_hot(database);
}

/* An empty file is a database, too. SQLite would take anything else for a broken one, and remove a
 * file beside it that has the name of its journal. */
static bool is_database(const char *path)
{
    bool empty;
    int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool begins = descriptor_begins_as_database(fd, &empty);
    sys_close(fd);
    return begins || empty;
}

/* The read makes SQLite recover what a crash has left; TRUNCATE then leaves an empty -wal, or says
 * SQLITE_BUSY if somebody else is in the way. */
static int fold(sqlite3 *db)
{
    int result = lib.exec(db, "select count(*) from sqlite_master", NULL, NULL, NULL);
    if (result != SQLITE_OK)
        return result;
    return lib.wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

enum folded checkpoint_fold(const char *database, struct text *why)
{
    sqlite3 *db = NULL;
    if (is_whole(database))
        return FOLDED_NOTHING;
    if (!is_database(database)) {
        text_str(why, "is no SQLite database, though it has the files of one beside it");
        return FOLDED_FAILED;
    }
    if (!load(why))
        return FOLDED_FAILED;
    int result = lib.open_v2(database, &db, SQLITE_OPEN_READWRITE, NULL);
    if (result == SQLITE_OK)
        result = fold(db);
    if (result != SQLITE_OK)
        text_str(why, lib.errmsg(db));
    lib.close(db);
    if (result == SQLITE_BUSY || result == SQLITE_LOCKED)
        return FOLDED_BUSY;
    if (result != SQLITE_OK)
        return FOLDED_FAILED;
    if (is_whole(database))
        return FOLDED;
    text_str(why, "the main file is not whole yet");
    return FOLDED_FAILED;
}
