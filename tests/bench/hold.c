/* The ways in which a file is held and let go of. */
#include "duel.h"
#include "samples.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void need(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    _exit(1);
}

static void say_ready(const struct holding *h)
{
    need(write(h->ready, "h", 1) == 1, "holder: ready");
}

/* Until the wait has begun, and then for the time it holds. */
static void hold(const struct holding *h)
{
    char byte;
    need(read(h->go, &byte, 1) == 1, "holder: go");
    const struct timespec sleep = {(time_t)(h->hold / 1000000000), (long)(h->hold % 1000000000)};
    nanosleep(&sleep, NULL);
}

static void tell(const struct holding *h, uint64_t released)
{
    need(write(h->released, &released, sizeof released) == sizeof released, "holder: released");
}

static int open_locked(const struct holding *h)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(h->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    need(fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0, h->path);
    return fd;
}

static void closes(const struct holding *h)
{
    int fd = open_locked(h);
    say_ready(h);
    hold(h);
    uint64_t released = now();
    close(fd);
    tell(h, released);
}

static void unlocks(const struct holding *h)
{
    struct flock unlock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    int fd = open_locked(h);
    say_ready(h);
    hold(h);
    uint64_t released = now();
    fcntl(fd, F_SETLK, &unlock);
    tell(h, released);
}

static void unlocks_flock(const struct holding *h)
{
    int fd = open(h->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    need(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0, h->path);
    say_ready(h);
    hold(h);
    uint64_t released = now();
    flock(fd, LOCK_UN);
    tell(h, released);
}

/* The one that dies is a child, and the holder its killer. */
static void killed(const struct holding *h)
{
    pid_t victim = fork();
    need(victim >= 0, "holder: fork");
    if (victim == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        open_locked(h);
        say_ready(h);
        for (;;)
            pause();
    }
    hold(h);
    uint64_t released = now();
    kill(victim, SIGKILL);
    waitpid(victim, NULL, 0); /* the file is free for the next trial */
    tell(h, released);
}

/* --- SQLite --- */

/* A commit ends with fcntl, after writes and syncs that may take long; the time of the release is
 * that of the call that unlocks the whole database. SQLite calls fcntl by a pointer that can be
 * set. */
static uint64_t unlocked;

static int noting_fcntl(int fd, int command, ...)
{
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (command == F_SETLK) {
        const struct flock *lock = argument;
        if (lock->l_type == F_UNLCK && lock->l_start == 0 && lock->l_len == 0)
            unlocked = now();
    }
    return fcntl(fd, command, argument);
}

static void run_sql(sqlite3 *db, const char *sql)
{
    char *error = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK)
        return;
    fprintf(stderr, "holder: %s: %s\n", sql, error);
    _exit(1);
}

static sqlite3 *begin(const struct holding *h, const char *journal_mode)
{
    sqlite3 *db;
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    vfs->xSetSystemCall(vfs, "fcntl", (sqlite3_syscall_ptr)noting_fcntl);
    need(sqlite3_open(h->path, &db) == SQLITE_OK, h->path);
    run_sql(db, journal_mode);
    run_sql(db, "create table if not exists t(a)");
    run_sql(db, "begin immediate");
    run_sql(db, "insert into t values (randomblob(2000))");
    return db;
}

static void commits_rollback(const struct holding *h)
{
    sqlite3 *db = begin(h, "pragma journal_mode=delete");
    say_ready(h);
    hold(h);
    run_sql(db, "commit");
    tell(h, unlocked);
}

/* In WAL mode an idle connection keeps a lock on the database, so the release is its close. */
static void commits_wal(const struct holding *h)
{
    sqlite3 *db = begin(h, "pragma journal_mode=wal");
    say_ready(h);
    hold(h);
    run_sql(db, "commit");
    need(sqlite3_close(db) == SQLITE_OK, "holder: sqlite3_close");
    tell(h, unlocked);
}

const struct holder_kind holder_kinds[] = {
    {"closes", closes, false},
    {"unlocks", unlocks, false},
    {"commits", commits_rollback, false},
    {"commits-wal", commits_wal, false},
    {"killed", killed, false},
    {"flock", unlocks_flock, true},
    {NULL, NULL, false},
};

pid_t holder_start(const struct holder_kind *kind, const struct holding *holding)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1);
    kind->run(holding);
    for (;;)
        pause();
}
