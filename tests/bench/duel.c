/* duel WAITER ARGUMENT...: one process holds a file, the waiter waits for it, and a third, this
 * one, looks whether the file is free when the wait returns. A trial is a line of standard input:
 *
 *     HOLDER HOLD BOUND PROCESSOR PATH     HOLD and BOUND in microseconds; HOLDER - : nobody
 *
 * and its result a line of standard output, in nanoseconds of one clock:
 *
 *     BEGAN RETURNED RELEASED STILL_HELD GAVE_UP PROCESSOR_TIME     RELEASED 0: nobody held it
 *
 * The variable WAITER_PRELOAD becomes LD_PRELOAD of the waiter alone. */
#include "duel.h"
#include "samples.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends of pipes: [0] reads, [1] writes. */
static int orders[2];
static int answers[2];
static int go[2];
static int ready[2];
static int releases[2];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void start_waiter(char **argv)
{
    pid_t pid = fork();
    if (pid < 0)
        fail("duel: fork");
    if (pid > 0) {
        close(orders[0]);
        close(answers[1]);
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char *preload = getenv("WAITER_PRELOAD");
    if (preload != NULL)
        setenv("LD_PRELOAD", preload, 1);
    unsetenv("WAITER_PRELOAD");
    /* Away from the numbers that they are to get. */
    int from = fcntl(orders[0], F_DUPFD_CLOEXEC, 20);
    int to = fcntl(answers[1], F_DUPFD_CLOEXEC, 20);
    int holder = fcntl(go[1], F_DUPFD_CLOEXEC, 20);
    dup2(from, FROM_DUEL);
    dup2(to, TO_DUEL);
    dup2(holder, TO_HOLDER);
    execv(argv[0], argv);
    perror(argv[0]);
    _exit(1);
}

static const struct holder_kind *kind_of(const char *name)
{
    const struct holder_kind *kind = holder_kinds;
    while (kind->name != NULL && strcmp(kind->name, name) != 0)
        kind++;
    return kind->name == NULL ? NULL : kind;
}

/* Asked by a process that has no part in it. */
static bool is_held(const char *path, bool by_flock)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        fail(path);
    bool held = by_flock ? flock(fd, LOCK_EX | LOCK_NB) < 0
                         : fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return held;
}

static void take(int fd, void *buffer, size_t size, const char *from)
{
    if (read(fd, buffer, size) == (ssize_t)size)
        return;
    fprintf(stderr, "duel: the %s has ended\n", from);
    exit(1);
}

static void give(int fd, const void *buffer, size_t size)
{
    if (write(fd, buffer, size) != (ssize_t)size)
        fail("duel: write");
}

static void run_trial(const struct order *order, const struct holder_kind *kind, uint64_t hold)
{
    char byte = 's';
    uint64_t released = 0;
    pid_t pid = 0;
    give(orders[1], order, sizeof *order);
    take(answers[0], &byte, 1, "waiter");
    if (kind != NULL) {
        const struct holding holding = {.path = order->path,
                                        .hold = hold,
                                        .ready = ready[1],
                                        .go = go[0],
                                        .released = releases[1]};
        pid = holder_start(kind, &holding);
        if (pid < 0)
            fail("duel: fork");
        take(ready[0], &byte, 1, "holder");
    }
    give(orders[1], &byte, 1);
    struct answer answer;
    take(answers[0], &answer, sizeof answer, "waiter");
    bool held = is_held(order->path, kind != NULL && kind->flock);
    if (kind == NULL) {
        take(go[0], &byte, 1, "waiter");
    } else {
        take(releases[0], &released, sizeof released, "holder");
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    printf("%lu %lu %lu %d %d %lu\n", answer.began, answer.returned, released, held, answer.gave_up,
           answer.processor);
    fflush(stdout);
}

/* A holder that fails would be waited for without end. */
static void holder_ended(int signal)
{
    (void)signal;
    int status;
    while (waitpid(-1, &status, WNOHANG) > 0)
        if (WIFEXITED(status))
            _exit(1);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "duel: expected WAITER ARGUMENT...\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (pipe2(orders, O_CLOEXEC) < 0 || pipe2(answers, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0 ||
        pipe2(ready, O_CLOEXEC) < 0 || pipe2(releases, O_CLOEXEC) < 0)
        fail("duel: pipe");
    signal(SIGCHLD, holder_ended);
    start_waiter(argv + 1);

    char name[32];
    unsigned long hold;
    unsigned long bound;
    int processor;
    struct order order;
    while (scanf("%31s %lu %lu %d %4095s", name, &hold, &bound, &processor, order.path) == 5) {
        const struct holder_kind *kind = kind_of(name);
        if (kind == NULL && strcmp(name, "-") != 0) {
            fprintf(stderr, "duel: '%s': no such holder\n", name);
            return 2;
        }
        order.bound = bound * 1000;
        order.processor = processor != 0;
        run_trial(&order, kind, hold * 1000);
    }
    return 0;
}
