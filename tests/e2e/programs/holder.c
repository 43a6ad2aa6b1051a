/* holder KIND PATH MS: takes a lock, says "held", keeps it for a time, says "released" with the
 * moment before it lets go, and lets go without closing. Byte 0 is one that SQLite does not lock.
 * KIND may also be open, writing or mapped: then there is no lock, and letting go is to close or
 * unmap. MS may also be
 *   +MS   the time begins when somebody else first opens the file, and anew when somebody who could
 *         write to it closes it, as a program and who waits in its close do; after 10 s without
 *         either it ends. So on a busy machine it is not over before the wait begins.
 *   -     until a line of its input; then it ends at the end of that
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
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

/* Whether an event comes within a time. The rest of those that are there is read with it. */
static bool touched(int events, int ms)
{
    char buffer[4096];
    struct pollfd ready = {.fd = events, .events = POLLIN};
    return poll(&ready, 1, ms) > 0 && read(events, buffer, sizeof buffer) > 0;
}

static int watch(const char *path)
{
    int events = inotify_init1(IN_CLOEXEC);
    inotify_add_watch(events, path, IN_OPEN | IN_CLOSE_WRITE);
    return events;
}

/* Opens after the first begin nothing anew: some waits open the file for each question. */
static void await_touched(int events, const char *path, int ms)
{
    const int patience = 10000;
    if (touched(events, patience)) {
        inotify_add_watch(events, path, IN_CLOSE_WRITE);
        while (touched(events, ms))
            ;
    }
    close(events); /* no watch is to be left when it lets go */
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
    bool told = strcmp(argv[3], "-") == 0;
    bool after_touched = argv[3][0] == '+';
    int events = after_touched ? watch(argv[2]) : -1;
    puts("held");
    fflush(stdout);
    if (told)
        await_line();
    else if (after_touched)
        await_touched(events, argv[2], atoi(argv[3]));
    else
        poll(NULL, 0, atoi(argv[3]));
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    set(fd, argv[1], F_UNLCK);
    printf("released %lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    fflush(stdout);
    if (told)
        await_line();
    return 0;
}
