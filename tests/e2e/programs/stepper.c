/* stepper: runs the commands on its standard input, one a line, and answers each with the result,
 * errno as the call left it, and the nanoseconds that the call took. A, B: single letters that name
 * handles. */
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int fds[128];
static FILE *streams[128];

static long long now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long long)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* In a child that closes everything, as daemons do. */
static long child_closes(int a)
{
    pid_t pid = fork();
    if (pid == 0) {
        long long began = now();
        int result = close(a);
        _exit(result == 0 && now() - began < 100000000 ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
}

/* A child that opens and closes a store of its own. */
static long child_opens(const char *path)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(close(open(path, O_RDWR)) == 0 ? 0 : 1);
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
}

static long run(const char *command, char a, char b, const char *path)
{
    int *fa = &fds[(int)a];
    int *fb = &fds[(int)b];
    if (strcmp(command, "open") == 0)
        return *fa = open(path, O_RDWR | O_CREAT, 0644);
    if (strcmp(command, "openat") == 0) /* in the directory open as B */
        return *fa = openat(*fb, path, O_RDWR);
    if (strcmp(command, "opendir") == 0)
        return *fa = open(path, O_RDONLY | O_DIRECTORY);
    if (strcmp(command, "creat") == 0)
        return *fa = creat(path, 0644);
    if (strcmp(command, "nonblock") == 0)
        return *fa = open(path, O_RDONLY | O_NONBLOCK);
    if (strcmp(command, "fopen") == 0)
        return *fa = (streams[(int)a] = fopen(path, "r+")) == NULL ? -1 : fileno(streams[(int)a]);
    if (strcmp(command, "fdopen") == 0)
        return (streams[(int)a] = fdopen(*fa, "r+")) == NULL ? -1 : 0;
    if (strcmp(command, "freopen") == 0)
        return freopen(path, "r+", streams[(int)a]) == NULL ? -1 : 0;
    if (strcmp(command, "fclose") == 0)
        return fclose(streams[(int)a]);
    if (strcmp(command, "close") == 0)
        return close(*fa);
    if (strcmp(command, "rawclose") == 0) /* as libuv does */
        return syscall(SYS_close, *fa);
    if (strcmp(command, "hiddenclose") == 0) /* past every hook, as io_uring does */
        return sys_close(*fa);
    if (strcmp(command, "hiddenopen") == 0)
        return *fa = sys_openat(AT_FDCWD, path, O_RDWR, 0);
    if (strcmp(command, "closerange") == 0)
        return close_range((unsigned)*fa, (unsigned)*fb, 0);
    if (strcmp(command, "closefrom") == 0) {
        closefrom(*fa);
        return 0;
    }
    if (strcmp(command, "dup") == 0)
        return *fb = dup(*fa);
    if (strcmp(command, "dupfd") == 0)
        return *fb = fcntl(*fa, F_DUPFD_CLOEXEC, 100);
    if (strcmp(command, "dup2") == 0) /* of A over B */
        return dup2(*fa, *fb);
    if (strcmp(command, "chdir") == 0)
        return chdir(path);
    if (strcmp(command, "unlink") == 0)
        return unlink(path);
    if (strcmp(command, "rename") == 0) { /* PATH to PATH.moved */
        char to[4200];
        snprintf(to, sizeof to, "%s.moved", path);
        return rename(path, to);
    }
    if (strcmp(command, "badclose") == 0)
        return close(-1);
    if (strcmp(command, "childcloses") == 0)
        return child_closes(*fa);
    if (strcmp(command, "childopens") == 0)
        return child_opens(path);
    if (strcmp(command, "lowest") == 0) { /* the next number that an open would get */
        int fd = open("/dev/null", O_RDONLY);
        close(fd);
        return fd;
    }
    if (strcmp(command, "thousand") == 0) { /* opens and closes; the number of closes over 100 ms */
        long slow = 0;
        for (int i = 0; i < 1000; i++) {
            int fd = open(path, O_RDWR);
            long long began = now();
            close(fd);
            slow += now() - began > 100000000;
        }
        return slow;
    }
    fprintf(stderr, "stepper: unknown command '%s'\n", command);
    exit(2);
}

int main(void)
{
    char line[4400];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char command[32] = "";
        char a = 0;
        char b = 0;
        char path[4096] = "";
        sscanf(line, "%31s %c %c %4095s", command, &a, &b, path);
        errno = 12345;
        long long began = now();
        long result = run(command, a, b, path);
        int error = errno;
        printf("%ld %d %lld\n", result, error, now() - began);
        fflush(stdout);
    }
    return 0;
}
