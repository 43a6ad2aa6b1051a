#include "database.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PAYLOAD_MOST = 2000, BUSY_MS = 20 };

unsigned chance(unsigned *seed, unsigned most)
{
    return (unsigned)rand_r(seed) % most;
}

void pause_up_to(unsigned *seed, unsigned most)
{
    struct timespec ts = {.tv_nsec = (long)chance(seed, most) * 1000};
    nanosleep(&ts, NULL);
}

/* --- a race of SQLite's own, kept out ---
 *
 * SQLite defers the close of a database file while another connection of the process holds a lock
 * on it. But unixClose (os_unix.c, 3.25 to at least 3.40) looks for such locks under the file's
 * mutex and closes after it has let go of it: a lock that another thread takes in between is gone.
 * tests/torture/race.c counts them. So here no thread takes its first lock while another is between
 * that look and the close(2). What comes after the close(2) - the library's wait - goes on beside
 * everything: SQLite closes a connection's files and then destroys its functions (main.c,
 * sqlite3LeaveMutexAndCloseZombie), and one of these ends the guard. */

static pthread_rwlock_t guard = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static __thread bool guarding;

static void guard_close(void)
{
    pthread_rwlock_wrlock(&guard);
    guarding = true;
}

static void unguard_close(void *unused)
{
    (void)unused;
    if (guarding)
        pthread_rwlock_unlock(&guard);
    guarding = false;
}

static void never_called(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)context;
    (void)count;
    (void)values;
}

static bool let_close_unguard(sqlite3 *db)
{
    return sqlite3_create_function_v2(db, "unguard", 0, SQLITE_UTF8, NULL, never_called, NULL, NULL,
                                      unguard_close) == SQLITE_OK;
}

/* --- statements --- */

static bool is_busy(int result)
{
    return (result & 0xff) == SQLITE_BUSY;
}

static bool complain(struct life *life, const char *what, const char *message)
{
    count(life->shared, COUNT_errors);
    fprintf(stderr, "worker %d: %s: %s\n", (int)getpid(), what, message);
    return false;
}

static bool run(struct life *life, sqlite3 *db, const char *sql)
{
    int result = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return result == SQLITE_OK || complain(life, sql, sqlite3_errmsg(db));
}

static void roll_back(struct life *life, sqlite3 *db)
{
    if (sqlite3_get_autocommit(db) == 0)
        run(life, db, "rollback");
}

/* Runs what may take the first lock of a connection, for as long as others are in the way. */
static bool run_guarded(struct life *life, sqlite3 *db, const char *sql)
{
    while (!atomic_load(&life->shared->stopping)) {
        pthread_rwlock_rdlock(&guard);
        int result = sqlite3_exec(db, sql, NULL, NULL, NULL);
        pthread_rwlock_unlock(&guard);
        if (result == SQLITE_OK)
            return true;
        if (!is_busy(result))
            complain(life, sql, sqlite3_errmsg(db));
        roll_back(life, db);
        if (!is_busy(result))
            return false;
    }
    return false;
}

static bool commit(struct life *life, sqlite3 *db)
{
    int result;
    do {
        result = sqlite3_exec(db, "commit", NULL, NULL, NULL);
    } while (is_busy(result) && !atomic_load(&life->shared->stopping));
    if (result == SQLITE_OK)
        return true;
    if (!is_busy(result))
        complain(life, "commit", sqlite3_errmsg(db));
    roll_back(life, db);
    return false;
}

/* The first column of the first row; -1 where there is none. */
static int64_t ask(struct life *life, sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t answer = -1;
    sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (sqlite3_step(statement) == SQLITE_ROW)
        answer = sqlite3_column_int64(statement, 0);
    if (sqlite3_finalize(statement) != SQLITE_OK)
        complain(life, sql, sqlite3_errmsg(db));
    return answer;
}

/* --- rows --- */

/* Adler-32 (RFC 1950), which Python has too: the driver checks what is written here. */
static uint32_t adler32(const char *data, size_t length)
{
    uint32_t a = 1;
    uint32_t b = 0;
    for (size_t i = 0; i < length; i++) {
        a = (a + (unsigned char)data[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static int64_t checksum(int64_t writer, int64_t number, const void *payload, size_t length)
{
    char text[64 + PAYLOAD_MOST];
    size_t used =
        (size_t)snprintf(text, sizeof text, "%lld/%lld/", (long long)writer, (long long)number);
    for (size_t i = 0; i < length && used < sizeof text; i++)
        text[used++] = ((const char *)payload)[i];
    return adler32(text, used);
}

/* Writes a row with fresh content by a statement of four parameters. */
static bool put(struct life *life, sqlite3 *db, const char *sql, int64_t writer, int64_t number)
{
    char payload[PAYLOAD_MOST];
    int length = (int)chance(&life->seed, sizeof payload);
    for (int i = 0; i < length; i++)
        payload[i] = (char)chance(&life->seed, 256);

    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    sqlite3_bind_int64(statement, 1, writer);
    sqlite3_bind_int64(statement, 2, number);
    sqlite3_bind_blob(statement, 3, payload, length, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, checksum(writer, number, payload, (size_t)length));
    sqlite3_step(statement);
    return sqlite3_finalize(statement) == SQLITE_OK || complain(life, sql, sqlite3_errmsg(db));
}

/* Rewrites an old row, so that the transaction also changes a page in the middle of the file. */
static bool rewrite_one(struct life *life, sqlite3 *db, int64_t rows)
{
    char sql[96];
    if (rows <= 0)
        return true;
    unsigned row = 1 + chance(&life->seed, (unsigned)rows);
    snprintf(sql, sizeof sql, "select writer from rows where rowid = %u", row);
    int64_t writer = ask(life, db, sql);
    snprintf(sql, sizeof sql, "select number from rows where rowid = %u", row);
    int64_t number = ask(life, db, sql);
    return put(life, db,
               "update rows set payload = ?3, checksum = ?4 where writer = ?1 and number = ?2",
               writer, number);
}

static void check_newest_rows(struct life *life, sqlite3 *db)
{
    const char *sql =
        "select writer, number, payload, checksum from rows order by rowid desc limit 8";
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        int64_t expected =
            checksum(sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1),
                     sqlite3_column_blob(statement, 2), (size_t)sqlite3_column_bytes(statement, 2));
        if (sqlite3_column_int64(statement, 3) != expected)
            complain(life, "a reader", "the checksum of a row is wrong");
    }
    if (sqlite3_finalize(statement) != SQLITE_OK)
        complain(life, sql, sqlite3_errmsg(db));
}

/* --- transactions --- */

static void enter(struct life *life, bool writes)
{
    atomic_store(&life->slot->writes, writes);
    atomic_fetch_add(&life->slot->turn, 1);
}

static void leave(struct life *life)
{
    atomic_fetch_add(&life->slot->turn, 1);
}

static void report(struct life *life)
{
    struct reported row = {life->writer, life->number};
    if (write(life->report, &row, sizeof row) != (ssize_t)sizeof row)
        complain(life, "the report", "cannot be written");
}

/* The ledger counts the rows: of two writers that do not see each other, one's count gets lost. */
static void write_a_row(struct life *life, sqlite3 *db)
{
    if (!run_guarded(life, db, "begin immediate"))
        return;
    enter(life, true);
    int64_t rows = ask(life, db, "select rows from ledger");
    life->number++;
    bool done = rewrite_one(life, db, rows) &&
                put(life, db, "insert into rows values (?1, ?2, ?3, ?4)", (int64_t)life->writer,
                    (int64_t)life->number) &&
                run(life, db, "update ledger set rows = rows + 1");
    pause_up_to(&life->seed, 1000);
    leave(life);
    if (!done || chance(&life->seed, 8) == 0) {
        roll_back(life, db);
        count(life->shared, COUNT_rollbacks);
    } else if (commit(life, db)) {
        report(life);
        count(life->shared, COUNT_commits);
    }
}

/* What a reader sees stays the same until its transaction ends. */
static void read_rows(struct life *life, sqlite3 *db)
{
    if (!run_guarded(life, db, "begin; select rows from ledger"))
        return;
    enter(life, false);
    int64_t rows = ask(life, db, "select rows from ledger");
    check_newest_rows(life, db);
    pause_up_to(&life->seed, 2000);
    if (ask(life, db, "select rows from ledger") != rows ||
        ask(life, db, "select coalesce(max(rowid), 0) from rows") != rows)
        complain(life, "a reader", "the ledger and the rows differ, or have changed meanwhile");
    leave(life);
    if (commit(life, db))
        count(life->shared, COUNT_reads);
}

/* --- a connection --- */

/* Closes nothing yet: the connection lives on until its last statement is gone. */
static int close_with_a_statement(sqlite3 *db, sqlite3_stmt **statement)
{
    sqlite3_prepare_v2(db, "select 1", -1, statement, NULL);
    return sqlite3_close_v2(db);
}

static void close_connection(struct life *life, sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    int result = SQLITE_OK;
    bool lingers = chance(&life->seed, 8) == 0;
    if (lingers)
        result = close_with_a_statement(db, &statement);
    guard_close();
    if (lingers)
        sqlite3_finalize(statement);
    else if (chance(&life->seed, 2) == 0)
        result = sqlite3_close(db);
    else
        result = sqlite3_close_v2(db);
    unguard_close(NULL); /* where it was refused */
    if (result == SQLITE_OK)
        count(life->shared, COUNT_closes);
    else
        complain(life, "close", sqlite3_errstr(result));
}

void database_visit(struct life *life)
{
    sqlite3 *db = NULL;
    if (sqlite3_open(life->database, &db) != SQLITE_OK || !let_close_unguard(db))
        complain(life, "open", sqlite3_errmsg(db));
    count(life->shared, COUNT_opens);
    sqlite3_busy_timeout(db, BUSY_MS);
    /* A killed process leaves what it wrote with the kernel; only a power cut needs fsync. */
    run_guarded(life, db, "pragma synchronous = off");
    for (unsigned left = 1 + chance(&life->seed, 4); left > 0; left--) {
        if (chance(&life->seed, 2) == 0)
            write_a_row(life, db);
        else
            read_rows(life, db);
        pause_up_to(&life->seed, 500);
    }
    close_connection(life, db);
    if (chance(&life->seed, 4) == 0)
        pause_up_to(&life->seed, 20000);
}
