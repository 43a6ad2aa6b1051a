/* threads MODE PATH: closes of a store on one thread while another does something else.
 *   exit-closing MS   main returns while a detached thread closes the store MS later
 *   exit-one-by-one MS  the same with five descriptors, each MS after the one before
 *   exit-opening MS   main returns while a thread opens one more every MS
 *   exit-leaking      main returns while a thread sits there and the store stays open
 *   exit-single       main returns with the store open and no other thread
 *   reopen MS         a thread closes its SQLite connection; MS later main opens one and begins a
 * write */
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *path;
enum { MORE = 4 };
static int fd, more[MORE];
static unsigned delay;
static sqlite3 *connection;

static void *close_later(void *unused)
{
    usleep(delay * 1000);
    close(fd);
    return unused;
}

static void *close_one_by_one(void *unused)
{
    close_later(unused);
    for (unsigned i = 0; i < MORE; i++) {
        usleep(delay * 1000);
        close(more[i]);
    }
    return unused;
}

static void *open_one_by_one(void *unused)
{
    for (;;) {
        usleep(delay * 1000);
        open(path, O_RDWR);
    }
    return unused;
}

static void *sit(void *unused)
{
    pause();
    return unused;
}

static void *close_connection(void *unused)
{
    sqlite3_close(connection);
    puts("closed");
    fflush(stdout);
    return unused;
}

static void run(const char *sql)
{
    char *error = NULL;
    if (sqlite3_exec(connection, sql, NULL, NULL, &error) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, error);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    pthread_t thread;
    char line[16];
    if (argc < 3)
        return 2;
    delay = argc > 3 ? (unsigned)atoi(argv[3]) : 0;

    if (strcmp(argv[1], "reopen") == 0) {
        sqlite3_open(argv[2], &connection);
        run("create table if not exists t(a)");
        puts("open");
        fflush(stdout);
        if (fgets(line, sizeof line, stdin) == NULL)
            return 1;
        pthread_create(&thread, NULL, close_connection, NULL);
        usleep(delay * 1000);
        sqlite3_open(argv[2], &connection);
        run("begin immediate");
        puts("reserved");
        fflush(stdout);
        pthread_join(thread, NULL);
        if (fgets(line, sizeof line, stdin) == NULL)
            return 1;
        run("rollback");
        sqlite3_close(connection);
        return 0;
    }

    path = argv[2];
    fd = open(path, O_RDWR);
    for (size_t i = 0; strcmp(argv[1], "exit-one-by-one") == 0 && i < MORE; i++)
        more[i] = open(path, O_RDWR);
    puts("open");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        return 1;
    if (strcmp(argv[1], "exit-closing") == 0)
        pthread_create(&thread, NULL, close_later, NULL);
    else if (strcmp(argv[1], "exit-one-by-one") == 0)
        pthread_create(&thread, NULL, close_one_by_one, NULL);
    else if (strcmp(argv[1], "exit-opening") == 0)
        pthread_create(&thread, NULL, open_one_by_one, NULL);
    else if (strcmp(argv[1], "exit-leaking") == 0)
        pthread_create(&thread, NULL, sit, NULL);
    return 7;
}
