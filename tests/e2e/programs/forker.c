/* forker PATH ROUNDS: opens the store and closes it, again and again; each time a signal handler
 * makes a child, a microsecond later after the beginning of the close than the time before. Stops
 * at the first child that goes wrong, and says the round and what went wrong: "slow" if the close
 * lasted longer than half a second in the child, "killed" if a signal ended it, else "fine". */
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

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* How the child ended, as a shell has it; 1 for a close that lasted too long in it. */
static int close_and_fork(int fd, suseconds_t us)
{
    const struct itimerval timer = {.it_value = {.tv_usec = us}};
    double began = now();
    int status = 0;
    child = -1;
    setitimer(ITIMER_REAL, &timer, NULL);
    close(fd);
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
        status = close_and_fork(open(argv[1], O_RDWR), ++round);
    printf("%s in round %d (%d)\n",
           status == 0   ? "fine"
           : status == 1 ? "slow"
                         : "killed",
           round, status);
    return 0;
}
