/* race DATABASE SECONDS: counts the locks that SQLite loses by a race of its own (database.c),
 * which grows with the time from the moment when SQLite decides to close a file to the close(2).
 * Four threads open the database, take a lock, look for it and close, as fast as they can.
 *
 * A figure, not a test: `make torture-race` compares that of the program alone with those under the
 * library.
 */
#include <dirent.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4 };

static const char *database;
static struct stat database_file;
static atomic_bool stopping;
static atomic_ulong closes;
static atomic_ulong lost;

/* fdinfo (proc(5)) lists the locks that the process has on the file. */
static bool shows_a_lock(const char *fd)
{
    char path[320];
    char line[256];
    bool found = false;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%s", fd);
    FILE *info = fopen(path, "re");
    while (info != NULL && !found && fgets(line, sizeof line, info) != NULL)
        found = strncmp(line, "lock:", 5) == 0;
    if (info != NULL)
        fclose(info);
    return found;
}

static bool has_a_lock(void)
{
    bool found = false;
    struct stat st;
    DIR *fds = opendir("/proc/self/fd");
    for (struct dirent *e; fds != NULL && !found && (e = readdir(fds)) != NULL;)
        found = fstat(atoi(e->d_name), &st) == 0 && st.st_ino == database_file.st_ino &&
                st.st_dev == database_file.st_dev && shows_a_lock(e->d_name);
    if (fds != NULL)
        closedir(fds);
    return found;
}

static void visit(unsigned *seed)
{
    sqlite3 *db;
    bool writes = rand_r(seed) % 2 == 0;
    struct timespec pause = {.tv_nsec = rand_r(seed) % 100000};
    sqlite3_open(database, &db);
    sqlite3_busy_timeout(db, 1000);
    if (sqlite3_exec(db, writes ? "begin immediate" : "begin; select * from t", NULL, NULL, NULL) ==
        SQLITE_OK) {
        nanosleep(&pause, NULL);
        if (!has_a_lock())
            atomic_fetch_add(&lost, 1);
    }
    sqlite3_exec(db, "rollback", NULL, NULL, NULL);
    sqlite3_close(db);
    atomic_fetch_add(&closes, 1);
}

static void *live(void *seed)
{
    while (!atomic_load(&stopping))
        visit(seed);
    return NULL;
}

int main(int argc, char **argv)
{
    sqlite3 *db;
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    if (argc != 3)
        return 2;
    database = argv[1];
    if (sqlite3_open(database, &db) != SQLITE_OK ||
        sqlite3_exec(db, "create table if not exists t(a)", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_close(db) != SQLITE_OK || stat(database, &database_file) != 0)
        return 1;
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = i;
        pthread_create(&threads[i], NULL, live, &seeds[i]);
    }
    sleep((unsigned)atoi(argv[2]));
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%lu locks lost in %lu closes\n", atomic_load(&lost), atomic_load(&closes));
    return 0;
}
