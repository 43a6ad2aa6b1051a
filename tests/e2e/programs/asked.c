/* asked DIR MS: one thread lists the directory of a store and tries to remove it, again and again,
 * and another is its engine: opens DIR/chroma.sqlite3 as SQLite does, locks it, looks for some time
 * whether it still has the lock, and closes. So each question whether the store is free comes at
 * some moment of an open, a lock and a close. Prints how often each was done, and how often the
 * lock was lost. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SHARED = 0x40000002, LENGTH = 510 };

static const char *dir;
static char path[4096];
static atomic_bool ends;
static unsigned long listed;

static long long now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static void *list(void *unused)
{
    for (; !atomic_load(&ends); listed++) {
        DIR *open = opendir(dir);
        if (open != NULL)
            closedir(open);
        rmdir(dir); /* there is something in it */
    }
    return unused;
}

/* Of an open file description it is asked who has a lock on it, and this process is another one
 * than that. */
static int has_lock(int fd)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SHARED, .l_len = LENGTH};
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* How often the lock was lost: 0 or 1. */
static int work(long us)
{
    struct flock lock = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = SHARED, .l_len = LENGTH};
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 || fcntl(fd, F_SETLK, &lock) != 0)
        exit(1);
    int has = 1;
    for (long long end = now_us() + us; has && now_us() < end;)
        has = has_lock(fd);
    close(fd);
    return !has;
}

int main(int argc, char **argv)
{
    pthread_t lister;
    unsigned long worked = 0, lost = 0;
    if (argc != 3)
        return 2;
    dir = argv[1];
    snprintf(path, sizeof path, "%s/chroma.sqlite3", dir);
    work(0); /* from here on it is a store that could be used */
    if (pthread_create(&lister, NULL, list, NULL) != 0)
        return 1;
    for (long long end = now_us() + 1000 * atoll(argv[2]); now_us() < end; worked++)
        lost += (unsigned long)work((long)(worked % 50));
    atomic_store(&ends, true);
    pthread_join(lister, NULL);
    printf("listed %lu worked %lu lost %lu\n", listed, worked, lost);
    return 0;
}
