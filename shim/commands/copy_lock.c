#include "commands/copy_lock.h"

#include "base/path.h"
#include "base/sys.h"

/* Whether a connection that is the last one folds the -wal in and removes it when it closes. */
static void fold_at_close(const struct copy_lock *lock, sqlite3 *db, bool on)
{
    int persists = !on;
    lock->lib->db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, (int)!on, (int *)NULL);
    lock->lib->file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &persists);
}

static bool open_one(struct copy_lock *lock, const char *database, int flags, sqlite3 **db,
                     struct text *why)
{
    if (lock->lib->open_v2(database, db, flags, NULL) != SQLITE_OK) {
        text_str(why, *db == NULL ? "no memory" : lock->lib->errmsg(*db));
        return false;
    }
    lock->lib->extended_result_codes(*db, 1);
    fold_at_close(lock, *db, false);
    return true;
}

/* -1: there is none */
static long size_of(const char *path)
{
    struct stat st;
    return sys_stat(path, &st) == 0 ? (long)st.st_size : -1;
}

bool copy_lock_open(struct copy_lock *lock, const char *database, struct text *why)
{
    *lock = (struct copy_lock){.lib = sqlite_load("--copy", why)};
    if (lock->lib == NULL)
        return false;
    lock->no_wal =
        path_beside(lock->wal, sizeof lock->wal, database, "-wal") && size_of(lock->wal) < 0;
    bool opened = open_one(lock, database, SQLITE_OPEN_READWRITE, &lock->writer, why) &&
                  open_one(lock, database, SQLITE_OPEN_READONLY, &lock->reader, why);
    if (opened && lock->lib->db_readonly(lock->writer, "main") != 0) {
        text_str(why, "may not be written here, and so its writers cannot be kept out");
        opened = false;
    }
    if (!opened)
        copy_lock_end(lock);
    return opened;
}

static int run(const struct copy_lock *lock, sqlite3 *db, const char *sql)
{
    return lock->lib->exec(db, sql, NULL, NULL, NULL);
}

static enum lock_answer answer(const struct copy_lock *lock, sqlite3 *db, int result,
                               struct text *why)
{
    if (result == SQLITE_OK)
        return LOCK_TAKEN;
    if (result == SQLITE_READONLY_ROLLBACK)
        return LOCK_HOT;
    if (sqlite_is_busy(result))
        return LOCK_BUSY;
    text_str(why, lock->lib->errmsg(db));
    return LOCK_FAILED;
}

enum lock_answer copy_lock_try(struct copy_lock *lock, struct text *why)
{
    int result = run(lock, lock->reader, "begin; select 1 from sqlite_master limit 1");
    enum lock_answer can = answer(lock, lock->reader, result, why);
    if (can == LOCK_TAKEN)
        can = answer(lock, lock->writer, run(lock, lock->writer, "begin immediate"), why);
    run(lock, lock->reader, "rollback");
    return can;
}

/* A -wal that was made by opening the database, and in which nothing is, goes as it came: by
 * SQLite, which sees to it that nobody else uses it. */
void copy_lock_end(struct copy_lock *lock)
{
    if (lock->writer != NULL)
        run(lock, lock->writer, "rollback");
    if (lock->reader != NULL)
        lock->lib->close(lock->reader);
    if (lock->writer != NULL && lock->no_wal && size_of(lock->wal) == 0)
        fold_at_close(lock, lock->writer, true);
    if (lock->writer != NULL)
        lock->lib->close(lock->writer);
    lock->writer = lock->reader = NULL;
}
