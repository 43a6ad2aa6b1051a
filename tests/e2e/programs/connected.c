/* connected WAY PATH: opens a database by sqlite3_open, says "open", and at a line of its input
 * ends in this way:
 *   close     sqlite3_close, and says "took" and the milliseconds
 *   child     the same in a fork child, for which the parent waits
 *   session   in a session of its own, too
 *   daemon    and the parent has left before
 *   leaving   or does so in the midst of it
 *   exit, quick_exit, _exit   ends by that, while another thread is in its close */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static sqlite3 *db;

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void timed_close(FILE *out)
{
    double began = now();
    int result = sqlite3_close(db);
    fprintf(out, "took %.0f, result %d\n", now() - began, result);
    fflush(out);
}

static void *close_it(void *unused)
{
    sqlite3_close(db);
    return unused;
}

static int end(const char *way)
{
    pthread_t thread;
    pthread_create(&thread, NULL, close_it, NULL);
    usleep(100000);
    if (strcmp(way, "exit") == 0)
        exit(7);
    if (strcmp(way, "quick_exit") == 0)
        quick_exit(7);
    _exit(7);
}

int main(int argc, char **argv)
{
    char line[16];
    if (argc != 3 || sqlite3_open(argv[2], &db) != SQLITE_OK)
        return 2;
    sqlite3_exec(db, "select * from sqlite_master", NULL, NULL, NULL);
    puts("open");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        return 1;
    const char *way = argv[1];
    if (strcmp(way, "close") == 0) {
        timed_close(stdout);
        return 0;
    }
    if (strstr(way, "exit") != NULL)
        return end(way);
    pid_t child = fork();
    if (child > 0) {
        if (strcmp(way, "leaving") == 0)
            usleep(20000);
        else if (strcmp(way, "daemon") != 0)
            waitpid(child, NULL, 0);
        _exit(0);
    }
    if (strcmp(way, "child") != 0)
        setsid();
    if (strcmp(way, "daemon") == 0)
        usleep(200000); /* until the parent has left */
    timed_close(stdout);
    return 0;
}
