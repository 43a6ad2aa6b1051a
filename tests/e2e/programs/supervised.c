/* supervised MODE...: programs without libc's hooks, for tests of settle --supervise.
 *   exit-closing PATH MS  exits while another thread is to close the store MS later; exit status 4
 *   exit-open PATH        exits with the store open and no other thread; exit status 5
 *   close PATH            opens the store and closes it; exit status 9: it cannot be opened
 *   closes N              N closes of no store; says how many failed
 *   others N              N calls that nobody is asked about: of getppid(2), and of open(2), which
 *                         are closed many at a time; says how many ns each of them took
 *   closing PATH          a thread closes the store, while the first one waits for its end. Says
 *                         "closed" and how long that took, in ms
 *   timed PATH N          N opens and closes of the store; says of each close how many ns it took
 *   children PATH N       N children, one after the other, that open and close the store; says how
 *                         many failed
 *   undumpable PATH       opens the store, says so, and at the end of its input closes a
 *                         duplicate of it and it; its descriptors may not be looked at
 *   privileges            says whether it may gain any (PR_GET_NO_NEW_PRIVS)
 *   waits                 what wait(2) says of children that it never made; says errno
 *   reopen PATH           a thread closes the store; while it waits another one opens and locks it.
 *                         Says "closed" and how long that took, in ms */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int fd;
static unsigned delay;

static long long now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long long)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int open_store(const char *path)
{
    int got = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (got < 0)
        exit(9);
    return got;
}

static void *close_later(void *unused)
{
    usleep(delay * 1000);
    close(fd);
    return unused;
}

static void *close_and_tell(void *unused)
{
    long long began = now_ns();
    close(fd);
    printf("closed %lld\n", (now_ns() - began) / 1000000);
    fflush(stdout);
    return unused;
}

static int exit_closing(const char *path, int ms)
{
    pthread_t thread;
    delay = (unsigned)ms;
    fd = open_store(path);
    pthread_create(&thread, NULL, close_later, NULL);
    return 4;
}

static int closes(int count)
{
    int failed = 0;
    for (int i = 0; i < count; i++)
        failed += close(open("/dev/null", O_RDONLY)) != 0;
    printf("failed %d\n", failed);
    return 0;
}

static int others(int count)
{
    enum { TOGETHER = 200 };
    long long opening = 0;
    long long began = now_ns();
    for (int i = 0; i < count; i++)
        syscall(SYS_getppid);
    printf("getppid %lld ", (now_ns() - began) / count);
    for (int done = 0; done < count; done += TOGETHER) {
        began = now_ns();
        for (int i = 0; i < TOGETHER; i++)
            fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        opening += now_ns() - began;
        syscall(SYS_close_range, fd - TOGETHER + 1, fd, 0);
    }
    printf("open %lld\n", opening / count);
    return 0;
}

static int timed(const char *path, int count)
{
    for (int i = 0; i < count; i++) {
        int store = open_store(path);
        long long began = now_ns();
        close(store);
        printf("%lld\n", now_ns() - began);
    }
    return 0;
}

static int children(const char *path, int count)
{
    int failed = 0;
    for (int i = 0; i < count; i++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0)
            _exit(close(open_store(path)) == 0 ? 0 : 1);
        waitpid(pid, &status, 0);
        failed += status != 0;
    }
    printf("failed %d\n", failed);
    return 0;
}

static int undumpable(const char *path)
{
    fd = open_store(path);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    puts("open");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    close(dup(fd));
    return close(fd);
}

static int closing(const char *path)
{
    pthread_t thread;
    fd = open_store(path);
    pthread_create(&thread, NULL, close_and_tell, NULL);
    return pthread_join(thread, NULL);
}

static int reopen(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1 << 30, .l_len = 1};
    pthread_t thread;
    char line[16];
    fd = open_store(path);
    puts("open");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        return 1;
    pthread_create(&thread, NULL, close_and_tell, NULL);
    usleep(200000);
    int again = open_store(path);
    fcntl(again, F_SETLKW, &lock);
    pthread_join(thread, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    const char *path = argc > 2 ? argv[2] : "";
    const int number = argc > 3 ? atoi(argv[3]) : 0;
    if (strcmp(mode, "exit-closing") == 0)
        return exit_closing(path, number);
    if (strcmp(mode, "exit-open") == 0)
        return open_store(path) > 0 ? 5 : 9;
    if (strcmp(mode, "close") == 0)
        return close(open_store(path));
    if (strcmp(mode, "closes") == 0)
        return closes(atoi(path));
    if (strcmp(mode, "others") == 0)
        return others(atoi(path));
    if (strcmp(mode, "closing") == 0)
        return closing(path);
    if (strcmp(mode, "timed") == 0)
        return timed(path, number);
    if (strcmp(mode, "children") == 0)
        return children(path, number);
    if (strcmp(mode, "undumpable") == 0)
        return undumpable(path);
    if (strcmp(mode, "privileges") == 0)
        return printf("none new %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)) < 0;
    if (strcmp(mode, "reopen") == 0)
        return reopen(path);
    if (strcmp(mode, "waits") == 0) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        printf("wait %d %d\n", (int)pid, errno);
        return 0;
    }
    return 2;
}
