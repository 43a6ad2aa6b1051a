/* touched DATABASE SECONDS: sixteen threads open the database for writing and close it, while two
 * take and give up SQLite's lock for writers and look whether they still have it in the middle of a
 * transaction. At the end: how many were lost, how many were looked for, how many descriptors are
 * left on the file once the last connection is closed. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { POLLING = 16, LOCKING = 2, MS = 1000000 };

static const char *database;
static atomic_bool stopping;
static atomic_long lost;
static atomic_long locks;
static int witness; /* opened by the system call alone, and open until the end */

static void pause_for(long ns)
{
    struct timespec ts = {.tv_nsec = ns};
    nanosleep(&ts, NULL);
}

/* RESERVED is held by one process at most, so that nobody's lock hides this process's. */
static bool is_reserved(void)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000001, .l_len = 1};
    return fcntl(witness, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static void *poll_it(void *unused)
{
    (void)unused;
    while (!atomic_load(&stopping)) {
        close(open(database, O_RDWR | O_CLOEXEC));
        pause_for(MS / 10);
    }
    return NULL;
}

/* Each with a connection that stays, so that the file has one while the polls go on. */
static void *lock_it(void *unused)
{
    sqlite3 *db;
    (void)unused;
    sqlite3_open(database, &db);
    sqlite3_busy_timeout(db, 10000);
    while (!atomic_load(&stopping)) {
        if (sqlite3_exec(db, "begin immediate", NULL, NULL, NULL) != SQLITE_OK)
            continue;
        pause_for(MS / 5);
        atomic_fetch_add(&locks, 1);
        if (!is_reserved())
            atomic_fetch_add(&lost, 1);
        sqlite3_exec(db, "rollback", NULL, NULL, NULL);
        pause_for(MS / 20);
    }
    sqlite3_close(db);
    return NULL;
}

static long descriptors_left(void)
{
    struct stat wanted, st;
    long count = -1; /* the witness */
    DIR *fds = opendir("/proc/self/fd");
    if (fds == NULL || stat(database, &wanted) < 0)
        return -1;
    for (struct dirent *e; (e = readdir(fds)) != NULL;)
        count += fstat(atoi(e->d_name), &st) == 0 && st.st_ino == wanted.st_ino &&
                 st.st_dev == wanted.st_dev;
    closedir(fds);
    return count;
}

int main(int argc, char **argv)
{
    pthread_t threads[POLLING + LOCKING];
    char line[16];
    sqlite3 *db;
    if (argc != 3)
        return 2;
    database = argv[1];
    if (sqlite3_open(database, &db) != SQLITE_OK ||
        sqlite3_exec(db, "create table t(a)", NULL, NULL, NULL) != SQLITE_OK)
        return 1;
    sqlite3_close(db);
    witness = (int)syscall(SYS_openat, AT_FDCWD, database, O_RDWR | O_CLOEXEC);
    printf("ready\n");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        return 1;
    for (int i = 0; i < POLLING + LOCKING; i++)
        pthread_create(&threads[i], NULL, i < POLLING ? poll_it : lock_it, NULL);
    sleep((unsigned)atoi(argv[2]));
    atomic_store(&stopping, true);
    for (int i = 0; i < POLLING + LOCKING; i++)
        pthread_join(threads[i], NULL);
    printf("lost %ld\nlocks %ld\nleft %ld\n", atomic_load(&lost), atomic_load(&locks),
           descriptors_left());
    return 0;
}
