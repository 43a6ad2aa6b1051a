/* permitted STORE: has STORE open in every way, then puts a seccomp filter on itself that permits
 * everything, and makes each kind of call that is hooked. What system calls that takes can be told
 * by those who trace it: from the write of "filtered" to that of "ended", on no descriptor. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *store;
static char other[4096];
static const int as_sqlite = O_RDWR | O_NOFOLLOW | O_CLOEXEC;

static void say(const char *word)
{
    if (write(-1, word, strlen(word)) >= 0)
        abort();
}

static int permit_everything(void)
{
    struct sock_filter permit = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &permit};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void lock(int fd, short type, off_t start, off_t length)
{
    struct flock what = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    fcntl(fd, F_SETLK, &what);
    fcntl(fd, F_OFD_SETLK, &what);
}

static void lock_all(int engine, int reader, int writer, int others)
{
    lock(engine, F_WRLCK, 0x40000002, 510);
    lock(engine, F_RDLCK, 0x40000002, 510);
    lock(writer, F_RDLCK, 0x40000002, 510);
    lock(engine, F_UNLCK, 0, 0);
    lock(others, F_WRLCK, 0, 0);
    flock(writer, LOCK_EX | LOCK_NB);
    flock(reader, LOCK_SH | LOCK_NB);
    fcntl(reader, F_SETLEASE, F_RDLCK);
    if (lockf(others, F_TLOCK, 0) < 0)
        say("lockf");
}

static void open_all(void)
{
    const int flags[] = {as_sqlite, O_RDONLY, O_RDWR};
    for (int i = 0; i < 3; i++)
        close(open(store, flags[i]));
    close(open(other, O_RDWR | O_TRUNC));
    close(openat(AT_FDCWD, other, O_RDONLY));
    close(creat(other, 0600));
    FILE *stream = fopen(store, "r");
    if (stream != NULL)
        fclose(stream);
    stream = fopen(other, "w");
    if (stream != NULL && (stream = freopen(other, "r", stream)) != NULL)
        fclose(stream);
    stream = fdopen(open(store, O_RDONLY), "r");
    if (stream != NULL)
        fclose(stream);
}

static void copy_all(int fd)
{
    struct stat st;
    close(dup(fd));
    close(fcntl(fd, F_DUPFD_CLOEXEC, 50));
    close(dup2(fd, 60));
    close(dup3(fd, 61, 0));
    fstat(fd, &st);
}

static void name_all(const char *directory)
{
    DIR *listing = opendir(directory);
    if (listing != NULL)
        closedir(listing);
    mkdir("settle-none.lock/x", 0700);
    rmdir("settle-none.lock");
    rename(store, "/settle-none/x");
    renameat2(AT_FDCWD, "settle-none", AT_FDCWD, store, 0);
    unlink("settle-none-chroma.sqlite3");
    remove("settle-none-chroma.sqlite3");
}

static void send_one(int fd, const int *ends)
{
    char control[CMSG_SPACE(sizeof fd)] = {0}, byte = 0;
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    *c = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    sendmsg(ends[0], &message, 0);
    if (recvmsg(ends[1], &message, 0) == 1) {
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
        close(fd);
    }
}

static void fork_all(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    child = vfork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
}

static sqlite3 *connection(void)
{
    sqlite3 *db = NULL;
    sqlite3_open(store, &db);
    sqlite3_exec(db, "select * from t", NULL, NULL, NULL);
    return db;
}

int main(int argc, char **argv)
{
    int ends[2];
    char directory[4096];
    if (argc != 2 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        return 1;
    store = argv[1];
    snprintf(other, sizeof other, "%s-other", store);
    snprintf(directory, sizeof directory, "%s", store);
    *strrchr(directory, '/') = '\0';
    sqlite3 *db = connection();
    int engine = open(store, as_sqlite);
    int reader = open(store, O_RDONLY);
    int writer = open(store, O_RDWR);
    int others = open(other, O_RDWR | O_CREAT, 0600);
    if (!permit_everything())
        return 1;
    say("filtered");
    lock_all(engine, reader, writer, others);
    sqlite3_exec(db, "insert into t values (1)", NULL, NULL, NULL);
    open_all();
    copy_all(writer);
    name_all(directory);
    send_one(engine, ends);
    fork_all();
    close(engine);
    close(writer);
    sqlite3_close(db);
    sqlite3_close(connection());
    close_range(100, 200, 0);
    closefrom(100);
    close(reader);
    say("ended");
    return 7;
}
