/* stepper: runs the commands on its standard input, one a line, and answers each with the result,
 * errno as the call left it, and the nanoseconds that the call took. A, B: single letters that name
 * handles; then a path, a number or a word. */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
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

/* ms: what a close takes at most that does not wait. */
#ifndef AT_ONCE
#define AT_ONCE 100
#endif

/* In a child that closes everything, as daemons do. */
static long child_closes(int a)
{
    pid_t pid = fork();
    if (pid == 0) {
        long long began = now();
        int result = close(a);
        _exit(result == 0 && now() - began < AT_ONCE * 1000000ll ? 0 : 1);
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

/* A child that shares this process's descriptors, though not its memory, closes one of them. */
static long sharer_closes(int a)
{
    long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(close(a) == 0 ? 0 : 1);
    int status = -1;
    waitpid((pid_t)pid, &status, 0);
    return status;
}

/* Room for one descriptor in a message. */
struct parcel {
    struct msghdr header;
    struct iovec data;
    char byte;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static void lay_out(struct parcel *p)
{
    *p = (struct parcel){.byte = 'x'};
    p->data = (struct iovec){&p->byte, 1};
    p->header = (struct msghdr){.msg_iov = &p->data,
                                .msg_iovlen = 1,
                                .msg_control = p->control,
                                .msg_controllen = CMSG_LEN(sizeof(int))};
}

static int send_descriptor(int to, int fd)
{
    struct parcel p;
    lay_out(&p);
    struct cmsghdr *c = CMSG_FIRSTHDR(&p.header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    return sendmsg(to, &p.header, 0) == 1 ? 0 : -1;
}

static int receive_descriptor(int from, const char *way)
{
    struct parcel p;
    int fd = -1;
    lay_out(&p);
    if (strcmp(way, "recvmmsg") == 0) {
        struct mmsghdr message = {.msg_hdr = p.header};
        if (recvmmsg(from, &message, 1, 0, NULL) != 1)
            return -1;
        p.header = message.msg_hdr;
    } else if (recvmsg(from, &p.header, strcmp(way, "peek") == 0 ? MSG_PEEK : 0) != 1) {
        return -1;
    }
    struct cmsghdr *c = CMSG_FIRSTHDR(&p.header);
    if (c != NULL)
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

static int pass(int fd, const char *way)
{
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) < 0)
        return -1;
    int received = send_descriptor(sockets[0], fd) == 0 ? receive_descriptor(sockets[1], way) : -1;
    close(sockets[0]);
    close(sockets[1]);
    return received;
}

/* As many descriptors as this process may have, up to the library's table and Linux's default
 * fs.nr_open; returns the highest number of one. */
static long raise_limit(void)
{
    const rlim_t most = 1048576;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < most) {
        struct rlimit wanted = {most, most};
        if (setrlimit(RLIMIT_NOFILE, &wanted) == 0) /* root may, where it has all capabilities */
            limit = wanted;
    }
    limit.rlim_cur = limit.rlim_max < most ? limit.rlim_max : most;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? (long)limit.rlim_cur - 1 : -1;
}

/* This program again, with the descriptors that it has. It answers in this one's place. */
static long again(void)
{
    execl("/proc/self/exe", "stepper", "again", NULL);
    return -1;
}

static long run(const char *command, char a, char b, const char *path)
{
    int *fa = &fds[(int)a];
    int *fb = &fds[(int)b];
    int number = atoi(path);
    if (strcmp(command, "open") == 0)
        return *fa = open(path, O_RDWR | O_CREAT, 0644);
    if (strcmp(command, "openrw") == 0) /* what is there */
        return *fa = open(path, O_RDWR);
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
    if (strcmp(command, "tmpfile") == 0) /* one without a name, in a directory */
        return *fa = open(path, O_TMPFILE | O_RDWR, 0640);
    if (strcmp(command, "mode") == 0) {
        struct stat st;
        return fstat(*fa, &st) == 0 ? (long)(st.st_mode & 07777) : -1;
    }
    if (strcmp(command, "fdopen") == 0)
        return (streams[(int)a] = fdopen(*fa, path[0] == '\0' ? "r+" : path)) == NULL ? -1 : 0;
    if (strcmp(command, "freopen") == 0) /* without a path: the same file in another mode */
        return freopen(path[0] == '\0' ? NULL : path, "r+", streams[(int)a]) == NULL ? -1 : 0;
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
    if (strcmp(command, "fcloseall") == 0)
        return fcloseall();
    if (strcmp(command, "closerange") == 0) /* with flags */
        return close_range((unsigned)*fa, (unsigned)*fb, number);
    if (strcmp(command, "rawcloserange") == 0)
        return syscall(SYS_close_range, *fa, *fb, number);
    if (strcmp(command, "closeup") == 0) /* from A on */
        return close_range((unsigned)*fa, ~0u, number);
    if (strcmp(command, "closefrom") == 0) {
        closefrom(*fa);
        return 0;
    }
    if (strcmp(command, "flock") == 0)
        return flock(*fa, LOCK_EX | LOCK_NB);
    if (strcmp(command, "readlock") == 0)
        return fcntl(*fa, F_SETLK, &(struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET});
    if (strcmp(command, "readlease") == 0)
        return fcntl(*fa, F_SETLEASE, F_RDLCK);
    if (strcmp(command, "dup") == 0)
        return *fb = dup(*fa);
    if (strcmp(command, "dupfd") == 0)
        return *fb = fcntl(*fa, F_DUPFD_CLOEXEC, 100);
    if (strcmp(command, "dupfrom") == 0)
        return *fb = fcntl(*fa, F_DUPFD, number);
    if (strcmp(command, "dup2") == 0) /* of A over B */
        return dup2(*fa, *fb);
    if (strcmp(command, "dup3") == 0) /* with flags */
        return dup3(*fa, *fb, number);
    if (strcmp(command, "pass") == 0) /* A over a socket, to B */
        return *fb = pass(*fa, path);
    if (strcmp(command, "adopt") == 0) /* a descriptor by its number */
        return *fa = number;
    if (strcmp(command, "limit") == 0)
        return raise_limit();
    if (strcmp(command, "again") == 0)
        return again();
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
    if (strcmp(command, "sharercloses") == 0)
        return sharer_closes(*fa);
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

static void answer(long result, int error, long long took)
{
    printf("%ld %d %lld\n", result, error, took);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[4400];
    if (argc > 1 && strcmp(argv[1], "again") == 0)
        answer(0, 0, 0);
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
        answer(result, error, now() - began);
    }
    return 0;
}
