#include "commands/copy_lock.h"

#include "base/path.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- by SQLite --- */

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

static bool has_wal(const char *database)
{
    char wal[PATH_MAX];
    struct stat st;
    return path_beside(wal, sizeof wal, database, "-wal") && sys_stat(wal, &st) == 0;
}

/* By its locks; in WAL mode every connection has one. Before SQLite has it open here, whose own
 * this close would let go. */
static bool is_in_use(const char *database)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(database, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    bool in_use = fd >= 0 && fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    return in_use;
}

static bool open_database(struct copy_lock *lock, const char *database, struct text *why)
{
    lock->lib = sqlite_load("--copy", why);
    if (lock->lib == NULL)
        return false;
    lock->folds = !has_wal(database) || is_in_use(database);
    bool opened = open_one(lock, database, SQLITE_OPEN_READWRITE, &lock->writer, why) &&
                  open_one(lock, database, SQLITE_OPEN_READONLY, &lock->reader, why);
    if (opened && lock->lib->db_readonly(lock->writer, "main") != 0) {
        text_str(why, "may not be written here, and so its writers cannot be kept out");
        opened = false;
    }
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

static enum lock_answer begin_transaction(const struct copy_lock *lock, struct text *why)
{
    int result = run(lock, lock->reader, "begin; select 1 from sqlite_master limit 1");
    enum lock_answer can = answer(lock, lock->reader, result, why);
    if (can == LOCK_TAKEN)
        can = answer(lock, lock->writer, run(lock, lock->writer, "begin immediate"), why);
    run(lock, lock->reader, "rollback");
    return can;
}

/* A -wal that was made by opening the database goes as it came, and what those have left in one who
 * had the database open goes where they would have put it: by SQLite, which sees to it that nobody
 * else uses it. One that a crash has left stays. */
static void close_database(const struct copy_lock *lock)
{
    if (lock->writer != NULL)
        run(lock, lock->writer, "rollback");
    if (lock->reader != NULL)
        lock->lib->close(lock->reader);
    if (lock->writer != NULL && lock->folds)
        fold_at_close(lock, lock->writer, true);
    if (lock->writer != NULL)
        lock->lib->close(lock->writer);
}

/* --- by a lock of the engine's kind --- */

static bool open_primary(struct copy_lock *lock, const char *primary, struct text *why)
{
    lock->primary = open(primary, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (lock->primary < 0)
        text_str(why, strerror(errno));
    return lock->primary >= 0;
}

static enum lock_answer lock_primary(const struct copy_lock *lock, struct text *why)
{
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int result = lock->profile->engine == ENGINE_FLOCK ? flock(lock->primary, LOCK_SH | LOCK_NB)
                                                       : fcntl(lock->primary, F_SETLK, &whole);
    if (result == 0)
        return LOCK_TAKEN;
    if (errno == EAGAIN || errno == EACCES || errno == EINTR)
        return LOCK_BUSY;
    text_str(why, "its writers cannot be kept out: ");
    text_str(why, strerror(errno));
    return LOCK_FAILED;
}

/* --- either --- */

static bool is_sqlite(const struct copy_lock *lock)
{
    return lock->profile->copy == COPY_SQLITE;
}

bool copy_lock_open(struct copy_lock *lock, const char *primary, const struct profile *profile,
                    struct text *why)
{
    *lock = (struct copy_lock){.profile = profile, .primary = -1};
    bool opened =
        is_sqlite(lock) ? open_database(lock, primary, why) : open_primary(lock, primary, why);
    if (!opened)
        copy_lock_end(lock);
    return opened;
}

enum lock_answer copy_lock_try(struct copy_lock *lock, struct text *why)
{
    return is_sqlite(lock) ? begin_transaction(lock, why) : lock_primary(lock, why);
}

void copy_lock_end(struct copy_lock *lock)
{
    if (lock->profile != NULL && is_sqlite(lock) && lock->lib != NULL)
        close_database(lock);
    if (lock->profile != NULL && lock->primary >= 0)
        close(lock->primary);
    lock->profile = NULL;
}
