/* keeper: opens, locks, shares and closes files as it is told on its standard input, one command a
 * line, and answers each with the result, errno as the call left it, and 0. A, B: single letters
 * that name descriptors; then a path, a number or a word. "engine" opens as SQLite does, "lock" and
 * "unlock" take and give up its locks (os_unix.c). */
#include "base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int fds[128];
static FILE *streams[128];
static pid_t self;
static pid_t child; /* one that stays until the end */
static int many[1024];

/* --- locks --- */

static const struct range {
    const char *name;
    short type;
    off_t start, length;
} ranges[] = {
    {"shared", F_RDLCK, 0x40000002, 510},
    {"exclusive", F_WRLCK, 0x40000002, 510},
    {"reserved", F_WRLCK, 0x40000001, 1},
    {"pending", F_WRLCK, 0x40000000, 1},
    {"dms", F_RDLCK, 128, 1},
    {"checkpoint", F_WRLCK, 121, 1},
    {"own", F_WRLCK, 4096, 1},
    {"whole", F_WRLCK, 0, 0},      /* as DuckDB and LevelDB do, */
    {"whole-read", F_RDLCK, 0, 0}, /* DuckDB where it only reads, */
    {"first", F_RDLCK, 0, 1},      /* LMDB for as long as it is there */
};

static long set_lock(int fd, int command, short type, off_t start, off_t length)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, command, &lock);
}

static long take_lock(int fd, const char *name)
{
    if (strcmp(name, "flock") == 0)
        return flock(fd, LOCK_EX | LOCK_NB);
    if (strcmp(name, "flock-shared") == 0)
        return flock(fd, LOCK_SH | LOCK_NB);
    if (strcmp(name, "flock-none") == 0)
        return flock(fd, LOCK_UN);
    if (strcmp(name, "ofd") == 0)
        return set_lock(fd, F_OFD_SETLK, F_WRLCK, 8192, 1);
    if (strcmp(name, "lease") == 0)
        return fcntl(fd, F_SETLEASE, F_RDLCK);
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (strcmp(ranges[i].name, name) == 0)
            return set_lock(fd, F_SETLK, ranges[i].type, ranges[i].start, ranges[i].length);
    return -1;
}

/* --- children --- */

/* A child that has what was open, and ends with this process, however many there are; also where
 * that has ended before the child could say so. */
static int stay(void *unused)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == self)
        pause();
    return unused == NULL;
}

static long by_fork(void)
{
    child = fork();
    if (child == 0)
        _exit(stay(NULL));
    return child > 0 ? 0 : -1;
}

/* Past libc's fork: syscall(2) is hooked, and tells of it. */
static long fork_by_number(void)
{
    child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(stay(NULL));
    return child > 0 ? 0 : -1;
}

static long clone_with_function(void)
{
    static char stack[65536] __attribute__((aligned(16)));
    child = clone(stay, stack + sizeof stack, SIGCHLD, NULL);
    return child > 0 ? 0 : -1;
}

/* What a child finds the number to be: 0 if it is open there, else the error. */
static long child_finds(int number)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct stat st;
        _exit(fstat(number, &st) == 0 ? 0 : errno);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static long spawn(void)
{
    char name[] = "true";
    char *const command[] = {name, NULL};
    pid_t pid;
    int status = -1;
    if (posix_spawnp(&pid, "true", NULL, NULL, command, environ) != 0)
        return -1;
    waitpid(pid, &status, 0);
    return status;
}

static long start_by_vfork(void)
{
    int status = -1;
    pid_t pid = vfork();
    if (pid == 0) {
        execlp("true", "true", (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    return status;
}

static long send_away(int fd, bool with_others)
{
    int sockets[2];
    char byte = 'x';
    struct iovec data = {&byte, 1};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fd)];
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) < 0)
        return -1;
    struct mmsghdr messages = {.msg_hdr = message};
    if (with_others)
        return sendmmsg(sockets[0], &messages, 1, 0) == 1 ? 0 : -1;
    return sendmsg(sockets[0], &message, 0) == 1 ? 0 : -1; /* it stays in the socket */
}

static long share(const char *way)
{
    if (strcmp(way, "fork") == 0)
        return by_fork();
    if (strcmp(way, "fork-by-number") == 0)
        return fork_by_number();
    if (strcmp(way, "clone") == 0)
        return clone_with_function();
    if (strcmp(way, "vfork") == 0)
        return start_by_vfork();
    if (strcmp(way, "spawn") == 0)
        return spawn();
    if (strcmp(way, "system") == 0)
        return system("true");
    if (strcmp(way, "popen") == 0)
        return pclose(popen("true", "r"));
    return -1;
}

/* --- many at the same time --- */

static long open_many(const char *path, int count)
{
    int opened = 0;
    while (opened < count && (many[opened] = open(path, O_RDWR)) >= 0)
        opened++;
    return opened;
}

static long close_many(int count)
{
    long failed = 0;
    for (int i = 0; i < count; i++)
        failed += close(many[i]) != 0;
    return failed;
}

static long limit_files(unsigned most)
{
    const struct rlimit limit = {most, most};
    return setrlimit(RLIMIT_NOFILE, &limit);
}

/* --- commands --- */

static int flags_of(const char *name)
{
    static const struct {
        const char *name;
        int flags;
    } known[] = {
        {"open", O_RDWR},
        {"open-cloexec", O_RDWR | O_CLOEXEC},
        {"open-create", O_RDWR | O_CREAT},
        {"open-truncate", O_RDWR | O_TRUNC},
        {"open-append", O_RDWR | O_APPEND},
        {"open-path", O_PATH},
        {"open-read", O_RDONLY},
        {"open-write", O_WRONLY},
        {"open-nofollow", O_RDONLY | O_NOFOLLOW},
        {"open-exclusively", O_RDWR | O_CREAT | O_EXCL},
        {"engine", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].flags;
    return -1;
}

static long use_stream(const char *command, char a, const char *word)
{
    FILE **stream = &streams[(int)a];
    if (strcmp(command, "fopen") == 0 || strcmp(command, "fopen-read") == 0) {
        *stream = fopen(word, command[5] == '\0' ? "r+b" : "rb");
        return *stream == NULL ? -1 : (fds[(int)a] = fileno(*stream));
    }
    if (strcmp(command, "fputs") == 0)
        return fputs(word, *stream) >= 0 ? 0 : -1;
    return fclose(*stream);
}

static long run(const char *command, char a, char b, const char *word)
{
    int *fa = &fds[(int)a];
    int *fb = &fds[(int)b];
    int number = atoi(word);
    int flags = flags_of(command);
    struct stat st;
    if (flags >= 0)
        return *fa = open(word, flags, 0644);
    if (strcmp(command, "openat") == 0)
        return *fa = openat(AT_FDCWD, word, O_RDWR);
    if (strcmp(command, "openat-read") == 0)
        return *fa = openat(AT_FDCWD, word, O_RDONLY);
    if (strcmp(command, "fdopen") == 0)
        return fdopen(*fa, "r") == NULL ? -1 : 0;
    if (strcmp(command, "finds") == 0) /* in a child */
        return child_finds(*fa);
    if (command[0] == 'f')
        return use_stream(command, a, word);
    if (strcmp(command, "close") == 0)
        return close(*fa);
    if (strcmp(command, "rawclose") == 0)
        return syscall(SYS_close, *fa);
    if (strcmp(command, "hiddenopen") == 0)
        return *fa = sys_openat(AT_FDCWD, word, O_RDWR | O_CREAT, 0644);
    if (strcmp(command, "hiddenclose") == 0) /* past every hook, as io_uring does */
        return sys_close(*fa);
    if (strcmp(command, "lock") == 0)
        return take_lock(*fa, word);
    if (strcmp(command, "unlock") == 0)
        return set_lock(*fa, F_SETLK, F_UNLCK, 0, 0);
    if (strcmp(command, "unlock-part") == 0)
        return set_lock(*fa, F_SETLK, F_UNLCK, 0x40000000, 2);
    if (strcmp(command, "getfd") == 0)
        return fcntl(*fa, F_GETFD);
    if (strcmp(command, "dup") == 0)
        return *fb = dup(*fa);
    if (strcmp(command, "dupfd") == 0)
        return *fb = fcntl(*fa, F_DUPFD_CLOEXEC, 100);
    if (strcmp(command, "dup2") == 0) /* of A over B */
        return dup2(*fa, *fb);
    if (strcmp(command, "dup3") == 0)
        return dup3(*fa, *fb, O_CLOEXEC);
#ifdef __GLIBC__                            /* another libc lacks them */
    if (strcmp(command, "closerange") == 0) /* A to B */
        return close_range((unsigned)*fa, (unsigned)*fb, 0);
    if (strcmp(command, "closefrom") == 0) {
        closefrom(*fa);
        return 0;
    }
#endif
    if (strcmp(command, "offset") == 0)
        return lseek(*fa, 0, SEEK_CUR);
    if (strcmp(command, "seek") == 0)
        return lseek(*fa, number, SEEK_SET);
    if (strcmp(command, "write") == 0)
        return write(*fa, word, strlen(word));
    if (strcmp(command, "share") == 0)
        return share(word);
    if (strcmp(command, "send") == 0 || strcmp(command, "send-several") == 0)
        return send_away(*fa, command[4] != '\0');
    if (strcmp(command, "stat") == 0)
        return fstat(*fa, &st);
    if (strcmp(command, "list") == 0)
        return fdopendir(*fa) == NULL ? -1 : 0;
    if (strcmp(command, "lockf") == 0)
        return lockf(*fa, F_TLOCK, 1);
    if (strcmp(command, "exec") == 0)
        return execl("/proc/self/exe", "keeper", "again", (char *)NULL);
    if (strcmp(command, "become") == 0)
        return seteuid((uid_t)number);
    if (strcmp(command, "limit") == 0)
        return limit_files((unsigned)number);
    if (strcmp(command, "openmany") == 0)
        return open_many(word, b == '-' ? 1024 : (b - '0') * 10);
    if (strcmp(command, "closemany") == 0)
        return close_many(number);
    fprintf(stderr, "keeper: unknown command '%s'\n", command);
    exit(2);
}

static void answer(long result, int error)
{
    printf("%ld %d 0\n", result, error);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[4400];
    self = getpid();
    if (argc > 1 && strcmp(argv[1], "again") == 0)
        answer(0, 0);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char command[32] = "";
        char a = 0;
        char b = 0;
        char word[4096] = "";
        sscanf(line, "%31s %c %c %4095s", command, &a, &b, word);
        errno = 12345;
        long result = run(command, a, b, word);
        answer(result, errno);
    }
    if (child > 0)
        kill(child, SIGKILL);
    return 0;
}
