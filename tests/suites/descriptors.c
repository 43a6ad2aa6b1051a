/* What the manual pages say of descriptors, asked of the kernel by a program: on a file that is no
 * store's, on the main file of a ChromaDB store, and on an SQLite database. One line of TAP for
 * each; what an answer is stands in the line, so that the same words come with and without the
 * library.
 *
 * usage: descriptors DIRECTORY    (it is filled; a file of the name chroma.sqlite3 is a store's)
 *
 * In the manner of the Linux Test Project's tests of open, close, dup, dup2, dup3, fcntl, flock,
 * lseek, fork, pipe, close_range, rename and unlink; written from open(2), close(2), dup(2),
 * fcntl(2), flock(2) and their like. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int number;
static const char *kind;
static char path[PATH_MAX];

/* Names the answer, too: a wrong one is told as it is. */
static void is(const char *what, long got, long expected)
{
    number++;
    printf("%sok %d - %s: %s: %ld\n", got == expected ? "" : "not ", number, kind, what, got);
}

/* Of a call that must fail. */
static void fails(const char *what, long result, int error)
{
    int seen = errno;
    is(what, result == -1 ? seen : 0, error);
}

static int open_it(int flags)
{
    return open(path, flags, 0600);
}

static int exit_of(pid_t pid)
{
    int status = -1;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int lowest(void)
{
    int fd = open("/dev/null", O_RDONLY);
    close(fd);
    return fd;
}

/* --- open --- */

static void opens(void)
{
    const int next = lowest();
    int fd = open_it(O_RDWR);
    is("open gives the lowest number", fd, next);
    is("O_CLOEXEC is not set unasked", fcntl(fd, F_GETFD), 0);
    is("the access mode", fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    close(fd);
    fd = open_it(O_RDWR | O_CLOEXEC | O_APPEND | O_NONBLOCK);
    is("O_CLOEXEC", fcntl(fd, F_GETFD), FD_CLOEXEC);
    is("O_APPEND and O_NONBLOCK", fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK),
       O_APPEND | O_NONBLOCK);
    close(fd);
    fails("O_EXCL of what is there", open_it(O_RDWR | O_CREAT | O_EXCL), EEXIST);
    fails("O_DIRECTORY of a file", open_it(O_RDONLY | O_DIRECTORY), ENOTDIR);
    fails("O_NOFOLLOW of a link",
          symlink(path, "link") == 0 ? open("link", O_RDWR | O_NOFOLLOW) : 0, ELOOP);
    fd = open("link", O_RDWR);
    is("a link", fd, next);
    close(fd);
    unlink("link");
    fails("what is not there", open("absent/file", O_RDONLY), ENOENT);
    fails("a directory for writing", open(".", O_RDWR), EISDIR);
    fails("an empty name", open("", O_RDONLY), ENOENT);
    fails("a name beyond memory", open((const char *)8, O_RDONLY), EFAULT);
    fd = open_it(O_PATH);
    fails("read of O_PATH", read(fd, (char[1]){0}, 1), EBADF);
    close(fd);
    fd = openat(AT_FDCWD, path, O_RDONLY);
    is("openat", fd, next);
    fails("write to what is read only", write(fd, "x", 1), EBADF);
    fails("ftruncate of what is read only", ftruncate(fd, 0), EINVAL);
    close(fd);
    fd = creat("new", 0640);
    struct stat st;
    is("creat is write only", fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
    is("its mode", fstat(fd, &st) == 0 ? (long)(st.st_mode & 0777) : -1, 0640);
    close(fd);
    unlink("new");
}

static void too_many(void)
{
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    const struct rlimit few = {(rlim_t)lowest() + 1, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    int last = open_it(O_RDWR);
    is("the last number", last, (long)few.rlim_cur - 1);
    fails("one too many", open_it(O_RDWR), EMFILE);
    fails("dup of one too many", dup(last), EMFILE);
    fails("dup2 beyond the limit", dup2(last, (int)few.rlim_cur), EBADF);
    fails("F_DUPFD beyond the limit", fcntl(last, F_DUPFD, (int)few.rlim_cur), EINVAL);
    is("close", close(last), 0);
    is("and there is one again", open_it(O_RDONLY), last);
    close(last);
    setrlimit(RLIMIT_NOFILE, &before);
}

/* --- close --- */

static void closes(void)
{
    int fd = open_it(O_RDWR);
    is("close", close(fd), 0);
    fails("close again", close(fd), EBADF);
    fails("close of -1", close(-1), EBADF);
    fails("close of INT_MAX", close(INT_MAX), EBADF);
    fails("read of a closed one", read(fd, (char[1]){0}, 1), EBADF);
    fails("fstat of a closed one", fstat(fd, &(struct stat){0}), EBADF);
    int first = open_it(O_RDWR);
    int second = open_it(O_RDWR);
    int third = open_it(O_RDWR);
    close(second);
    is("a number in between is used again", open_it(O_RDONLY), second);
    is("close_range of three", close_range((unsigned)first, (unsigned)third, 0), 0);
    fails("the first is closed", fcntl(first, F_GETFD), EBADF);
    fails("the last is closed", fcntl(third, F_GETFD), EBADF);
    fails("close_range the wrong way round", close_range(5, 4, 0), EINVAL);
    fails("close_range with unknown flags", close_range(900, 900, 1u << 30), EINVAL);
    fd = open_it(O_RDWR);
    is("CLOSE_RANGE_CLOEXEC", close_range((unsigned)fd, (unsigned)fd, CLOSE_RANGE_CLOEXEC), 0);
    is("leaves it open, but not over exec", fcntl(fd, F_GETFD), FD_CLOEXEC);
    is("a raw close", syscall(SYS_close, fd), 0);
    fails("after which close says no", close(fd), EBADF);
    fd = open_it(O_RDWR);
    unlink("moved");
    is("rename of an open file", rename(path, "moved"), 0);
    is("close after the rename", close(fd), 0);
    rename("moved", path);
}

/* --- dup --- */

static void dups(void)
{
    int fd = open_it(O_RDWR | O_CLOEXEC);
    int other = dup(fd);
    is("dup gives the lowest number", other, fd + 1);
    is("without FD_CLOEXEC", fcntl(other, F_GETFD), 0);
    is("they share the offset", lseek(fd, 3, SEEK_SET) == 3 ? lseek(other, 0, SEEK_CUR) : -1, 3);
    fcntl(other, F_SETFL, O_APPEND);
    is("and the flags", fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
    is("dup2 to itself", dup2(fd, fd), fd);
    is("leaves FD_CLOEXEC", fcntl(fd, F_GETFD), FD_CLOEXEC);
    fails("dup3 to itself", dup3(fd, fd, 0), EINVAL);
    fails("dup3 with unknown flags", dup3(fd, other, O_APPEND), EINVAL);
    is("dup3 with O_CLOEXEC", dup3(fd, other, O_CLOEXEC), other);
    is("sets it", fcntl(other, F_GETFD), FD_CLOEXEC);
    is("dup2 over an open one", dup2(fd, other), other);
    is("clears it", fcntl(other, F_GETFD), 0);
    fails("dup2 of a closed one", dup2(990, other), EBADF);
    is("leaves the target open", fcntl(other, F_GETFD), 0);
    fails("dup2 to -1", dup2(fd, -1), EBADF);
    fails("dup of a closed one", dup(990), EBADF);
    int high = fcntl(fd, F_DUPFD, 100);
    is("F_DUPFD", high, 100);
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    is("F_DUPFD_CLOEXEC", higher, 101);
    is("sets FD_CLOEXEC", fcntl(higher, F_GETFD), FD_CLOEXEC);
    close_range(100, 101, 0);
    close(fd);
    is("the copy outlives it", fcntl(other, F_GETFD), 0);
    close(other);
    fd = open_it(O_RDWR);
    other = open("/dev/null", O_RDWR);
    dup2(other, fd);
    struct stat st;
    is("dup2 of another file over it", fstat(fd, &st) == 0 && S_ISCHR(st.st_mode), 1);
    close(fd);
    close(other);
}

/* --- locks --- */

static int lock(int fd, int command, short type, off_t start, off_t length)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    int result = fcntl(fd, command, &l);
    return result < 0 ? result : command == F_GETLK || command == F_OFD_GETLK ? l.l_type : 0;
}

/* What a child is told of a lock that is asked for. */
static int seen_by_child(short type, off_t start, off_t length)
{
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open_it(O_RDWR);
        _exit(lock(fd, F_GETLK, type, start, length));
    }
    return exit_of(pid);
}

static int flock_of_child(int how)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(flock(open_it(O_RDWR), how | LOCK_NB) == 0 ? 0 : errno);
    return exit_of(pid);
}

static void locks(void)
{
    int fd = open_it(O_RDWR);
    is("a write lock", lock(fd, F_SETLK, F_WRLCK, 10, 10), 0);
    is("is no hindrance to oneself", lock(fd, F_GETLK, F_WRLCK, 0, 0), F_UNLCK);
    is("another process sees it", seen_by_child(F_WRLCK, 0, 0), F_WRLCK);
    is("and that there is none beside it", seen_by_child(F_WRLCK, 20, 0), F_UNLCK);
    is("unlocked in the middle", lock(fd, F_SETLK, F_UNLCK, 12, 2), 0);
    is("the beginning is locked", seen_by_child(F_RDLCK, 10, 2), F_WRLCK);
    is("the middle is free", seen_by_child(F_RDLCK, 12, 2), F_UNLCK);
    is("the end is locked", seen_by_child(F_RDLCK, 14, 6), F_WRLCK);
    is("made a read lock", lock(fd, F_SETLK, F_RDLCK, 0, 0), 0);
    is("readers are let in", seen_by_child(F_RDLCK, 0, 0), F_UNLCK);
    is("writers are not", seen_by_child(F_WRLCK, 0, 0), F_RDLCK);
    is("close", close(fd), 0);
    is("lets go", seen_by_child(F_WRLCK, 0, 0), F_UNLCK);
    fd = open_it(O_RDONLY);
    fails("a write lock on what is read only", lock(fd, F_SETLK, F_WRLCK, 0, 0), EBADF);
    close(fd);
    fails("a lock on what is closed", lock(fd, F_SETLK, F_RDLCK, 0, 0), EBADF);

    fd = open_it(O_RDWR);
    int same = dup(fd);
    is("an OFD lock", lock(fd, F_OFD_SETLK, F_WRLCK, 0, 0), 0);
    close(fd);
    is("stays with the copy", seen_by_child(F_WRLCK, 0, 0), F_WRLCK);
    close(same);
    is("and goes with it", seen_by_child(F_WRLCK, 0, 0), F_UNLCK);

    fd = open_it(O_RDWR);
    same = dup(fd);
    is("flock", flock(fd, LOCK_EX), 0);
    is("keeps others out", flock_of_child(LOCK_SH), EWOULDBLOCK);
    is("downgraded", flock(same, LOCK_SH), 0);
    is("lets readers in", flock_of_child(LOCK_SH), 0);
    close(fd);
    is("stays with the copy", flock_of_child(LOCK_EX), EWOULDBLOCK);
    is("unlocked by the copy", flock(same, LOCK_UN), 0);
    is("is free", flock_of_child(LOCK_EX), 0);
    close(same);
    fails("flock of what is closed", flock(same, LOCK_EX), EBADF);
    fd = open_it(O_RDWR);
    is("lockf", lockf(fd, F_TLOCK, 0), 0);
    is("is a write lock", seen_by_child(F_RDLCK, 0, 0), F_WRLCK);
    close(fd);
}

/* --- processes --- */

static void processes(void)
{
    int fd = open_it(O_RDWR);
    lseek(fd, 5, SEEK_SET);
    pid_t pid = fork();
    if (pid == 0)
        _exit(lseek(fd, 0, SEEK_CUR) == 5 && lseek(fd, 7, SEEK_SET) == 7 && close(fd) == 0 ? 0 : 1);
    is("a child has it, and closes it", exit_of(pid), 0);
    is("they share the offset", lseek(fd, 0, SEEK_CUR), 7);
    is("the child's close is not ours", fcntl(fd, F_GETFD), 0);
    lock(fd, F_SETLK, F_WRLCK, 0, 0);
    pid = fork();
    if (pid == 0)
        _exit(lock(fd, F_SETLK, F_WRLCK, 0, 0) == -1 ? errno : 0);
    is("locks are not inherited", exit_of(pid), EAGAIN);
    is("and stay when the child ends", seen_by_child(F_WRLCK, 0, 0), F_WRLCK);

    char word[16];
    snprintf(word, sizeof word, "%d", fd);
    pid = vfork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "test -e /proc/self/fd/$1", "sh", word, (char *)0);
        _exit(9);
    }
    is("what is executed has it", exit_of(pid), 0);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    pid = vfork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "test -e /proc/self/fd/$1", "sh", word, (char *)0);
        _exit(9);
    }
    is("with FD_CLOEXEC it has not", exit_of(pid), 1);
    pid = vfork();
    if (pid == 0) {
        close(fd);
        execl("/bin/true", "true", (char *)0);
        _exit(9);
    }
    is("a vfork child closes its own", exit_of(pid), 0);
    is("not ours", fcntl(fd, F_GETFD), FD_CLOEXEC);
    is("nor our lock", seen_by_child(F_WRLCK, 0, 0), F_WRLCK);
    close(fd);
}

/* A descriptor over a socket. */
static void passed(void)
{
    int pair[2];
    is("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int fd = open_it(O_RDWR);
    char byte = 'x';
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    is("it is sent", sendmsg(pair[0], &message, 0), 1);
    lseek(fd, 9, SEEK_SET);
    close(fd);
    is("and received", recvmsg(pair[1], &message, 0), 1);
    int got = -1;
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof got);
    is("by the lowest number", got, fd);
    is("with its offset", lseek(got, 0, SEEK_CUR), 9);
    is("close", close(got), 0);
    close(pair[0]);
    is("the end of the other", read(pair[1], &byte, 1), 0);
    close(pair[1]);
}

/* --- reading, writing, streams --- */

static void contents(void)
{
    char before[16] = "";
    char after[16] = "";
    int fd = open_it(O_RDWR);
    int reader = open_it(O_RDONLY);
    is("pread", pread(fd, before, 15, 0), 15);
    is("lseek to the end", lseek(fd, 0, SEEK_END) > 0, 1);
    fails("lseek before the beginning", lseek(fd, -1, SEEK_SET), EINVAL);
    is("read at the end", read(fd, after, 1), 0);
    is("two opens have two offsets", lseek(reader, 0, SEEK_CUR), 0);
    is("read", read(reader, after, 15), 15);
    is("the same", memcmp(before, after, 15), 0);
    is("poll of a file", poll(&(struct pollfd){.fd = fd, .events = POLLIN | POLLOUT}, 1, 0), 1);
    close(reader);
    close(fd);
    FILE *stream = fopen(path, "r+b");
    is("a stream", fileno(stream), fd);
    is("reads", (long)fread(after, 1, 15, stream), 15);
    is("the same", memcmp(before, after, 15), 0);
    is("fclose", fclose(stream), 0);
    fails("closed its descriptor", close(fd), EBADF);
    stream = fdopen(open_it(O_RDONLY), "rb");
    is("fdopen", stream != NULL, 1);
    stream = freopen("/dev/null", "r", stream);
    is("freopen", stream != NULL ? fileno(stream) : -1, fd);
    is("its end", fgetc(stream), EOF);
    is("fclose", fclose(stream), 0);
    fails("fopen of what is there, exclusively", fopen(path, "wx") == NULL ? -1 : 0, EEXIST);
}

static void names(void)
{
    int fd = open_it(O_RDWR);
    struct stat st;
    is("link", link(path, "second"), 0);
    is("unlink of the second", unlink("second"), 0);
    is("rename", rename(path, "second"), 0);
    is("by its new name", stat("second", &st), 0);
    fails("not by the old one", stat(path, &st), ENOENT);
    is("rename back", rename("second", path), 0);
    fails("rmdir of a file", rmdir(path), ENOTDIR);
    fails("unlink of what is not there", unlink("absent"), ENOENT);
    is("close", close(fd), 0);
    fd = open("gone", O_RDWR | O_CREAT, 0600);
    is("unlink of an open file", unlink("gone"), 0);
    is("which lives on", write(fd, "x", 1), 1);
    is("without a name", fstat(fd, &st) == 0 ? (long)st.st_nlink : -1, 0);
    is("until its close", close(fd), 0);
}

static void handler(int signal)
{
    (void)signal;
    int saved = errno;
    close(open("/dev/null", O_RDONLY));
    errno = saved;
}

static void signals(void)
{
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    long wrong = 0;
    for (int i = 0; i < 200; i++) {
        int fd = open_it(O_RDWR);
        raise(SIGUSR1);
        errno = 4711;
        wrong += close(fd) != 0 || errno != 4711;
    }
    is("closes leave errno, beside a handler that closes", wrong, 0);
    signal(SIGUSR1, SIG_DFL);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *kind, *name;
    } files[] = {{"a file", "plain"}, {"a store", "chroma.sqlite3"}, {"a database", "app.db"}};
    static void (*const parts[])(void) = {opens,     too_many, closes,   dups,  locks,
                                          processes, passed,   contents, names, signals};
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 2 || chdir(argv[1]) != 0)
        return 2;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        static const char content[4096] = "SQLite format 3";
        kind = files[i].kind;
        snprintf(path, sizeof path, "%s", files[i].name);
        int fd = creat(path, 0600);
        if (write(fd, content, sizeof content) != sizeof content || close(fd) != 0)
            return 2;
        for (size_t part = 0; part < sizeof parts / sizeof parts[0]; part++)
            parts[part]();
        unlink(path);
    }
    printf("1..%d\n", number);
    return 0;
}
