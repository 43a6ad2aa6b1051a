/* A program that touches its own live store, as copies, uploads and polls do, while it writes to it
 * and another process does: does its own SQLite keep its locks? (tests/torture/locks runs it.)
 *
 *   locks own DATABASE JOURNAL SECONDS WAY   writes in one thread and touches in another
 *   locks other DATABASE SECONDS             writes
 *   locks check DATABASE                     integrity_check, and the rows of each writer
 *
 * It is also a library, of which locks_chroma.py calls what touches.
 *
 * Both writers print how many rows were acknowledged to them and how many statements failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* SQLite's busy handler is no queue: beside a ChromaDB that writes without a pause, on a busy
 * machine, 10 s were not enough once. A lock that stays behind is found at any. */
enum { ROWS_AT_ONCE = 5, PAYLOAD = 1500, BUSY_MS = 30000, MS = 1000000 };

static const char *database;
static atomic_bool stopping;
static unsigned long touches;

static void pause_for(long ns)
{
    struct timespec ts = {.tv_nsec = ns};
    nanosleep(&ts, NULL);
}

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- writing --- */

static void fail(const char *what, const char *message)
{
    fprintf(stderr, "locks: %s: %s\n", what, message);
}

static bool run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    fail(sql, sqlite3_errmsg(db));
    return false;
}

static sqlite3 *connect_to_database(void)
{
    sqlite3 *db;
    if (sqlite3_open(database, &db) != SQLITE_OK) {
        fail("open", sqlite3_errmsg(db));
        exit(1);
    }
    sqlite3_busy_timeout(db, BUSY_MS);
    return db;
}

/* A transaction of several pages, so that one that meets another's has something to break. */
static bool write_rows(sqlite3 *db, const char *writer, unsigned long from)
{
    char sql[256];
    bool done = run(db, "begin immediate");
    for (int i = 0; done && i < ROWS_AT_ONCE; i++) {
        snprintf(sql, sizeof sql, "insert into rows values('%s', %lu, zeroblob(%d))", writer,
                 from + (unsigned)i, PAYLOAD);
        done = run(db, sql);
        pause_for(MS / 5); /* so that touches fall into it */
    }
    done = done && run(db, "commit");
    if (!done)
        sqlite3_exec(db, "rollback", NULL, NULL, NULL);
    return done;
}

static void write_until(const char *writer, double end)
{
    sqlite3 *db = connect_to_database();
    unsigned long acknowledged = 0;
    unsigned long errors = 0;
    run(db, "pragma synchronous=off");
    while (now() < end) {
        if (write_rows(db, writer, acknowledged))
            acknowledged += ROWS_AT_ONCE;
        else
            errors++;
        pause_for(MS / 2); /* for the other to have its turn */
    }
    sqlite3_close(db);
    printf("%s %lu rows %lu errors", writer, acknowledged, errors);
}

/* --- touching --- */

static void poll_for_writing(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
}

/* Of a descriptor that a child has, too, its close is put off, and no open gets it again. */
static void poll_with_a_child(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    if (child > 0)
        waitpid(child, NULL, 0);
    if (fd >= 0)
        close(fd);
}

static void poll_by_stream(const char *path)
{
    FILE *stream = fopen(path, "r+b");
    if (stream != NULL)
        fclose(stream);
}

static void read_all(const char *path)
{
    static char buffer[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    while (read(fd, buffer, sizeof buffer) > 0)
        ;
    close(fd);
}

static void copy_by(const char *path, ssize_t (*move)(int from, int to, size_t size))
{
    char to[4200];
    snprintf(to, sizeof to, "%s.copy", path);
    int in = open(path, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (in >= 0 && out >= 0 && move(in, out, 1 << 20) > 0)
        ;
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
}

static ssize_t send_on(int from, int to, size_t size)
{
    return sendfile(to, from, NULL, size);
}

static ssize_t clone_on(int from, int to, size_t size)
{
    return copy_file_range(from, NULL, to, NULL, size, 0);
}

static void copy_by_sendfile(const char *path)
{
    copy_by(path, send_on);
}

static void copy_by_range(const char *path)
{
    copy_by(path, clone_on);
}

static const struct way {
    const char *name;
    void (*touch)(const char *path);
} ways[] = {
    {"poll", poll_for_writing},     {"stream", poll_by_stream},   {"read", read_all},
    {"sendfile", copy_by_sendfile}, {"copyrange", copy_by_range}, {"child", poll_with_a_child},
};
enum { WAYS = sizeof ways / sizeof ways[0] };

static void touch(const struct way *way)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char path[4200];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", database, endings[i]);
        way->touch(path);
        touches++;
    }
}

static const struct way *way_named(const char *name)
{
    for (int i = 0; i < WAYS; i++)
        if (strcmp(ways[i].name, name) == 0)
            return &ways[i];
    return NULL;
}

/* NULL: all of them, one after the other. */
static const struct way *the_way;

static void *touch_on(void *unused)
{
    (void)unused;
    for (unsigned i = 0; !atomic_load(&stopping); i++) {
        touch(the_way == NULL ? &ways[i % WAYS] : the_way);
        pause_for(MS);
    }
    return NULL;
}

/* For a program in Python, whose own threads would wait for each other (locks_chroma.py). */
unsigned long touch_for(const char *path, double seconds, const char *way_name);
unsigned long touch_for(const char *path, double seconds, const char *way_name)
{
    const double end = now() + seconds;
    database = path;
    the_way = way_named(way_name);
    for (unsigned i = 0; now() < end; i++) {
        touch(the_way == NULL ? &ways[i % WAYS] : the_way);
        pause_for(MS);
    }
    return touches;
}

/* --- commands --- */

static int own(const char *journal, double seconds, const char *way_name)
{
    char sql[64];
    pthread_t toucher;
    the_way = way_named(way_name);
    if (the_way == NULL && strcmp(way_name, "all") != 0)
        return 2;
    sqlite3 *db = connect_to_database();
    snprintf(sql, sizeof sql, "pragma journal_mode=%s", journal);
    if (!run(db, sql) || !run(db, "create table rows(writer, number, payload)"))
        return 1;
    printf("ready\n");
    fflush(stdout);
    pthread_create(&toucher, NULL, touch_on, NULL);
    write_until("own", now() + seconds);
    atomic_store(&stopping, true);
    pthread_join(toucher, NULL);
    sqlite3_close(db);
    printf(" %lu touches\n", touches);
    return 0;
}

static int other(double seconds)
{
    write_until("other", now() + seconds);
    printf("\n");
    return 0;
}

static int print_row(void *unused, int count, char **values, char **names)
{
    (void)unused;
    (void)names;
    for (int i = 0; i < count; i++)
        printf("%s%c", values[i] == NULL ? "null" : values[i], i + 1 < count ? ' ' : '\n');
    return 0;
}

static int check(void)
{
    static const char *const questions[] = {
        "pragma integrity_check(1)",
        "select writer, count(*), count(distinct number) from rows group by 1",
    };
    sqlite3 *db = connect_to_database();
    for (int i = 0; i < 2; i++)
        if (sqlite3_exec(db, questions[i], print_row, NULL, NULL) != SQLITE_OK)
            printf("%s\n", sqlite3_errmsg(db));
    sqlite3_close(db);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    database = argv[2];
    if (strcmp(argv[1], "own") == 0 && argc == 6)
        return own(argv[3], atof(argv[4]), argv[5]);
    if (strcmp(argv[1], "other") == 0 && argc == 4)
        return other(atof(argv[3]));
    return strcmp(argv[1], "check") == 0 ? check() : 2;
}
