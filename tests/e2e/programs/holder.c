/* holder KIND PATH MS: takes a lock, says "held", keeps it for a time, says "released" with the
 * moment before it lets go, and lets go without closing. Byte 0 is one that SQLite does not lock.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static int set(int fd, const char *kind, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    if (strcmp(kind, "posix-read") == 0 && type == F_WRLCK)
        lock.l_type = F_RDLCK;
    if (strncmp(kind, "posix", 5) == 0)
        return fcntl(fd, F_SETLK, &lock);
    if (strcmp(kind, "ofd") == 0)
        return fcntl(fd, F_OFD_SETLK, &lock);
    if (type == F_UNLCK)
        return flock(fd, LOCK_UN);
    return flock(fd, (strcmp(kind, "flock-shared") == 0 ? LOCK_SH : LOCK_EX) | LOCK_NB);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int fd = open(argv[2], O_RDWR | O_CLOEXEC);
    if (fd < 0 || set(fd, argv[1], F_WRLCK) < 0) {
        perror(argv[2]);
        return 1;
    }
    puts("held");
    fflush(stdout);
    long ms = atol(argv[3]);
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    set(fd, argv[1], F_UNLCK);
    printf("released %lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    return 0;
}
