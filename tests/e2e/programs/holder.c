/* holder KIND PATH MS: takes a lock, says "held", keeps it for a time, says "released" with the
 * moment before it lets go, and lets go without closing. Byte 0 is one that SQLite does not lock.
 * KIND may also be open, writing or mapped: then there is no lock, and letting go is to close or
 * unmap. With "-" for MS it lets go at a line of its input, and ends at the end of that.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void *mapped = MAP_FAILED;

/* Returns -1 if the kind is a lock. */
static int keep_open(int fd, const char *kind, short type)
{
    if (strcmp(kind, "open") == 0 || strcmp(kind, "writing") == 0)
        return type == F_UNLCK ? close(fd) : 0;
    if (strcmp(kind, "mapped") != 0)
        return -1;
    if (type == F_UNLCK)
        return munmap(mapped, 1);
    mapped = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
    return close(fd);
}

static int set(int fd, const char *kind, short type)
{
    if (keep_open(fd, kind, type) == 0)
        return 0;
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    if (strcmp(kind, "posix-read") == 0 && type == F_WRLCK)
        lock.l_type = F_RDLCK;
    if (strncmp(kind, "posix", 5) == 0)
        return fcntl(fd, F_SETLK, &lock);
    if (strcmp(kind, "ofd") == 0)
        return fcntl(fd, F_OFD_SETLK, &lock);
    if (strcmp(kind, "lease") == 0) {
        signal(SIGIO, SIG_IGN); /* the request to give it back */
        return fcntl(fd, F_SETLEASE, type);
    }
    if (type == F_UNLCK)
        return flock(fd, LOCK_UN);
    return flock(fd, (strcmp(kind, "flock-shared") == 0 ? LOCK_SH : LOCK_EX) | LOCK_NB);
}

static void await_line(void)
{
    int byte;
    while ((byte = getchar()) != EOF && byte != '\n')
        ;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    bool reads = strcmp(argv[1], "open") == 0 || strcmp(argv[1], "mapped") == 0;
    int fd = open(argv[2], (reads ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0 || set(fd, argv[1], F_WRLCK) < 0) {
        perror(argv[2]);
        return 1;
    }
    puts("held");
    fflush(stdout);
    bool told = strcmp(argv[3], "-") == 0;
    long ms = atol(argv[3]);
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    if (told)
        await_line();
    else
        nanosleep(&pause, NULL);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    set(fd, argv[1], F_UNLCK);
    printf("released %lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    fflush(stdout);
    if (told)
        await_line();
    return 0;
}
