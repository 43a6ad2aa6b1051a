/* waiter METHOD [ARGUMENT...]: opens the file that duel names, closes it when told to, and waits in
 * one way or another until it believes that the file is free. Under the library the close itself is
 * the wait. */
#include "duel.h"
#include "peers/polling.h"
#include "samples.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char **arguments;

/* Each returns false if the bound has ended it. */

static bool wait_by_nothing(const struct order *order)
{
    (void)order;
    return true;
}

static bool wait_by_sleep(const struct order *order)
{
    (void)order;
    const struct timespec half = {0, 500000000};
    nanosleep(&half, NULL);
    return true;
}

static const uint64_t polling_interval = 50000000;

static bool wait_by_opening(const struct order *order)
{
    return polling(polling_can_open, order->path, order->bound, polling_interval);
}

static bool wait_by_asking(const struct order *order)
{
    return polling(polling_can_lock, order->path, order->bound, polling_interval);
}

/* No wait can end sooner: it has a processor to itself. */
static bool wait_by_asking_only(const struct order *order)
{
    return polling(polling_can_lock, order->path, order->bound, 0);
}

static bool wait_by_flock(const struct order *order)
{
    int fd = open(order->path, O_RDWR | O_CLOEXEC);
    bool good = fd >= 0 && flock(fd, LOCK_EX) == 0;
    close(fd);
    return good;
}

/* The arguments are a command, and the path is its last argument. */
static bool wait_by_command(const struct order *order)
{
    size_t last = 0;
    while (arguments[last] != NULL)
        last++;
    char *argv[64] = {NULL};
    memcpy(argv, arguments, last * sizeof *argv);
    char path[PATH_MAX];
    argv[last] = strcpy(path, order->path);

    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    bool good = poll(&ended, 1, (int)(order->bound / 1000000)) == 1;
    if (!good)
        kill(pid, SIGKILL);
    close(ended.fd);
    int status;
    waitpid(pid, &status, 0);
    if (good && WEXITSTATUS(status) == 127)
        exit(1);
    return good;
}

static const struct {
    const char *name;
    bool (*wait)(const struct order *);
} methods[] = {
    {"close", wait_by_nothing},   {"sleep", wait_by_sleep},          {"open", wait_by_opening},
    {"ask", wait_by_asking},      {"ask-only", wait_by_asking_only}, {"flock", wait_by_flock},
    {"command", wait_by_command},
};

static uint64_t time_of(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

/* Of this process, its threads and all its descendants. */
static uint64_t processor_time(void)
{
    return time_of(RUSAGE_SELF) + time_of(RUSAGE_CHILDREN);
}

/* What a wait leaves behind for a moment: a thread or a child that takes a watch down. */
static void let_all_end(void)
{
    const struct timespec while_watches_end = {0, 60000000};
    nanosleep(&while_watches_end, NULL);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

static struct answer wait_for(const struct order *order, int fd, bool (*wait)(const struct order *))
{
    struct answer answer = {0};
    uint64_t processor = processor_time();
    if (write(TO_HOLDER, "g", 1) != 1)
        exit(1);
    answer.began = now();
    close(fd);
    answer.gave_up = !wait(order);
    answer.returned = now();
    if (order->processor) {
        let_all_end();
        answer.processor = processor_time() - processor;
    }
    return answer;
}

static void serve(bool (*wait)(const struct order *))
{
    struct order order;
    char byte = 'r';
    while (read(FROM_DUEL, &order, sizeof order) == sizeof order) {
        int fd = open(order.path, O_RDWR | O_CLOEXEC);
        if (fd < 0 || write(TO_DUEL, &byte, 1) != 1 || read(FROM_DUEL, &byte, 1) != 1) {
            perror(order.path);
            exit(1);
        }
        struct answer answer = wait_for(&order, fd, wait);
        if (write(TO_DUEL, &answer, sizeof answer) != sizeof answer)
            exit(1);
    }
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(argv[1], methods[i].name) != 0)
            continue;
        arguments = argv + 2;
        /* What the wait starts must not inherit them, and ends here if it loses its parent. */
        for (int fd = FROM_DUEL; fd <= TO_HOLDER; fd++)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        serve(methods[i].wait);
        return 0;
    }
    fprintf(stderr, "waiter: expected close|sleep|open|ask|ask-only|flock|command\n");
    return 2;
}
