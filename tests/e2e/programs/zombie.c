/* zombie MODE PATH [MS]: closes a connection that has a statement which is not finalised.
 *   alone      nobody finalises it before the program ends
 *   other MS   another thread finalises it MS later
 *   never      another thread lives and does not
 *   forked     likewise, and 100 ms later a signal handler forks; the result is that of the child's
 *              close, or what ended it
 *   two        another connection stays open
 *   v1         sqlite3_close, which refuses (SQLITE_BUSY)
 *   deferred   a connection without statements closes while another one of the process has a lock,
 *              so that SQLite puts the close of its descriptor off
 * Answers "closed", the result and the milliseconds that the close took. */
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static sqlite3_stmt *statement;
static unsigned delay;

static void *finalise_later(void *unused)
{
    usleep(delay * 1000);
    sqlite3_finalize(statement);
    return unused;
}

static void *sit(void *unused)
{
    pause();
    return unused;
}

static volatile pid_t child = -1;

static void fork_now(int number)
{
    (void)number;
    child = fork();
}

static void fork_later(void)
{
    const struct itimerval soon = {.it_value = {.tv_usec = 100000}};
    signal(SIGALRM, fork_now);
    setitimer(ITIMER_REAL, &soon, NULL);
}

/* In the child, ends with the result of its close; in the parent, waits for it. */
static int result_of_child(int result)
{
    int status = 0;
    if (child == 0)
        _exit(result);
    waitpid(child, &status, 0);
    return status;
}

static void run(sqlite3 *db, const char *sql)
{
    char *error = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, error);
        exit(1);
    }
}

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
    sqlite3 *db = NULL;
    sqlite3 *second = NULL;
    pthread_t thread;
    char line[16];
    if (argc < 3 || sqlite3_open(argv[2], &db) != SQLITE_OK)
        return 2;
    delay = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
    run(db, "create table if not exists t(a); insert into t values (1)");

    int deferred = strcmp(argv[1], "deferred") == 0;
    if (deferred || strcmp(argv[1], "two") == 0) {
        sqlite3_open(argv[2], &second);
        run(second, deferred ? "begin immediate" : "select * from t");
    }
    if (!deferred) {
        sqlite3_prepare_v2(db, "select * from t", -1, &statement, NULL);
        sqlite3_step(statement);
    }
    if (strcmp(argv[1], "other") == 0)
        pthread_create(&thread, NULL, finalise_later, NULL);
    int forked = strcmp(argv[1], "forked") == 0;
    if (forked || strcmp(argv[1], "never") == 0)
        pthread_create(&thread, NULL, sit, NULL);

    puts("open");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        return 1;
    if (forked)
        fork_later();
    double began = now();
    int result = strcmp(argv[1], "v1") == 0 ? sqlite3_close(db) : sqlite3_close_v2(db);
    if (forked)
        result = result_of_child(result);
    printf("closed %d %.0f\n", result, now() - began);
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        return 1;
    return 0;
}
