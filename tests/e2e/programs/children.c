/* children WAY ACT PATH: opens the store twice and says "open"; then it takes the steps that its
 * input names, one a line, and says each step's word and result:
 *   child    makes a child process by WAY, which does ACT; its wait status
 *   first    closes one of the handles; 0 or errno
 *   second   closes the other
 * `children heir ACT PATH FD FD` is what a child becomes by exec. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char **arguments;
static const char *path;
static int fds[2];
static int (*act)(void);

/* --- what a child does: 0 if it went well --- */

static int close_both(void)
{
    return close(fds[0]) == 0 && close(fds[1]) == 0 ? 0 : 1;
}

static int close_all(void)
{
    long count = sysconf(_SC_OPEN_MAX);
    int closed = 0;
    for (int fd = 3; fd < count; fd++)
        closed += close(fd) == 0;
    return closed >= 2 ? 0 : 1;
}

static int close_by_range(void)
{
    return close_range(3, ~0u, 0) == 0 ? 0 : 1;
}

static int close_from(void)
{
    closefrom(3);
    return 0;
}

static int replace(void)
{
    return dup2(1, fds[0]) == fds[0] && dup2(1, fds[1]) == fds[1] ? 0 : 1;
}

static int open_only(void)
{
    return open(path, O_RDWR) < 0;
}

static int open_and_close(void)
{
    int fd = open(path, O_RDWR);
    return fd >= 0 && close(fd) == 0 ? 0 : 1;
}

/* Twice, so that the number of waits tells whose they are. */
static int open_and_close_after_a_vfork_child(void)
{
    pid_t pid = vfork();
    if (pid == 0)
        _exit(open_and_close());
    int status;
    waitpid(pid, &status, 0);
    return status == 0 && open_and_close() == 0 ? open_and_close() : 1;
}

static const struct {
    const char *name;
    int (*act)(void);
} acts[] = {
    {"close", close_both},          {"open", open_only},
    {"close-all", close_all},       {"close-range", close_by_range},
    {"closefrom", close_from},      {"dup2", replace},
    {"open-close", open_and_close}, {"vfork-open-close", open_and_close_after_a_vfork_child}};

/* --- how a child is made; each returns its wait status --- */

static int status_of(pid_t pid)
{
    int status = -1;
    waitpid(pid, &status, __WALL);
    return status;
}

/* exit, as most children of fork end; its streams are empty. */
static int by_fork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        exit(act());
    return status_of(pid);
}

static int by_raw_fork(void)
{
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(act());
    return status_of(pid);
}

/* As a daemon is made. The grandchild comes to this process to be waited for. */
static int by_double_fork(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        if (fork() == 0)
            exit(act());
        _exit(0);
    }
    status_of(pid);
    return status_of(-1);
}

static int by_vfork(void)
{
    pid_t pid = vfork();
    if (pid == 0)
        _exit(act());
    return status_of(pid);
}

static int run_act(void *unused)
{
    (void)unused;
    return act();
}

static int by_clone(int flags)
{
    enum { SIZE = 1 << 20 };
    char *stack = malloc(SIZE);
    return status_of(clone(run_act, stack + SIZE, CLONE_VM | flags | SIGCHLD, NULL));
}

static int by_clone_vm(void)
{
    return by_clone(0);
}

static int by_clone_vm_files(void)
{
    return by_clone(CLONE_FILES);
}

static char **heirs_arguments(void)
{
    static char numbers[2][12];
    static char heir[] = "heir";
    static char *all[7];
    for (int i = 0; i < 2; i++)
        snprintf(numbers[i], sizeof numbers[i], "%d", fds[i]);
    all[0] = arguments[0];
    all[1] = heir;
    all[2] = arguments[2];
    all[3] = arguments[3];
    all[4] = numbers[0];
    all[5] = numbers[1];
    return all;
}

static int by_fork_and_exec(void)
{
    char **all = heirs_arguments();
    pid_t pid = fork();
    if (pid == 0) {
        execv(arguments[0], all);
        _exit(127);
    }
    return status_of(pid);
}

static int by_vfork_and_exec(void)
{
    char **all = heirs_arguments();
    pid_t pid = vfork();
    if (pid == 0) {
        execv(arguments[0], all);
        _exit(127);
    }
    return status_of(pid);
}

static int by_spawn_with(const posix_spawn_file_actions_t *actions)
{
    pid_t pid;
    if (posix_spawn(&pid, arguments[0], actions, NULL, heirs_arguments(), environ) != 0)
        return -1;
    return status_of(pid);
}

static int by_spawn(void)
{
    return by_spawn_with(NULL);
}

static int by_spawn_and_closefrom(void)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclose(&actions, fds[0]);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    int status = by_spawn_with(&actions);
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

static const struct {
    const char *name;
    int (*make)(void);
} ways[] = {{"fork", by_fork},
            {"raw-fork", by_raw_fork},
            {"double-fork", by_double_fork},
            {"vfork", by_vfork},
            {"clone-vm", by_clone_vm},
            {"clone-vm-files", by_clone_vm_files},
            {"fork-exec", by_fork_and_exec},
            {"vfork-exec", by_vfork_and_exec},
            {"spawn", by_spawn},
            {"spawn-closefrom", by_spawn_and_closefrom}};

/* --- */

static int take_step(const char *word, int (*make)(void))
{
    if (strcmp(word, "child") == 0)
        return make();
    return close(fds[strcmp(word, "first") == 0 ? 0 : 1]) == 0 ? 0 : errno;
}

int main(int argc, char **argv)
{
    int (*make)(void) = NULL;
    if (argc < 4)
        return 2;
    arguments = argv;
    path = argv[3];
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (strcmp(acts[i].name, argv[2]) == 0)
            act = acts[i].act;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(ways[i].name, argv[1]) == 0)
            make = ways[i].make;
    if (act != NULL && argc == 6 && strcmp(argv[1], "heir") == 0) {
        fds[0] = atoi(argv[4]);
        fds[1] = atoi(argv[5]);
        return act();
    }
    if (make == NULL || act == NULL)
        return 2;

    fds[0] = open(path, O_RDWR);
    fds[1] = open(path, O_RDWR);
    puts("open");
    fflush(stdout);
    char word[16];
    while (scanf("%15s", word) == 1) {
        printf("%s %d\n", word, take_step(word, make));
        fflush(stdout);
    }
    return 0;
}
