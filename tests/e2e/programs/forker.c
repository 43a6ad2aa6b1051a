/* forker PATH ROUNDS: opens the store, copies the descriptor, and closes all, again and again; each
 * time a signal handler makes a child, two microseconds later after the beginning than the time
 * before. Stops at the first child that goes wrong, and tells on standard error whether a signal
 * killed it or all that was slow in it, which is longer than half a second; says "fine" if none
 * did.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile pid_t child;

static void make_child(int signal)
{
    (void)signal;
    child = fork();
}

static void use(const char *path)
{
    int first = open(path, O_RDWR);
    int second = dup(first);
    int third = open(path, O_RDWR);
    dup2(third, second);
    close(first);
    close(second);
    close(third);
}

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* How the child ended, as a shell has it; 1 if it took too long. */
static int use_and_fork(const char *path, suseconds_t us)
{
    const struct itimerval timer = {.it_value = {.tv_usec = us}};
    double began = now();
    int status = 0;
    child = -1;
    setitimer(ITIMER_REAL, &timer, NULL);
    use(path);
    double took = now() - began;
    while (child == -1)
        usleep(100);
    if (child == 0)
        _exit(took > 0.5);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    int status = 0;
    int round = 0;
    if (argc < 3)
        return 2;
    signal(SIGALRM, make_child);
    while (status == 0 && round < atoi(argv[2]))
        status = use_and_fork(argv[1], 2 * ++round);
    if (status == 0)
        puts("fine");
    else
        fprintf(stderr, "%s in round %d\n", status == 1 ? "slow" : "killed", round);
    return status;
}
