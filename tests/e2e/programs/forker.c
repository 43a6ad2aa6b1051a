/* forker PATH ROUNDS: opens the store and closes it, again and again; each time a signal handler
 * makes a child, a microsecond later after the beginning of the close than the time before. Stops
 * at the first child in which that close lasts longer than half a second, and says "slow" with the
 * round, or 0. */
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

/* Whether the close lasted too long in the child. */
static int close_and_fork(int fd, suseconds_t us)
{
    const struct itimerval timer = {.it_value = {.tv_usec = us}};
    double began = now();
    int status = 0;
    child = -1;
    setitimer(ITIMER_REAL, &timer, NULL);
    close(fd);
    if (child == 0)
        _exit(now() - began > 0.5);
    while (child == -1)
        usleep(100);
    waitpid(child, &status, 0);
    return status != 0;
}

int main(int argc, char **argv)
{
    int slow = 0;
    if (argc < 3)
        return 2;
    signal(SIGALRM, make_child);
    for (int round = 1; slow == 0 && round <= atoi(argv[2]); round++)
        slow = close_and_fork(open(argv[1], O_RDWR), round) ? round : 0;
    printf("slow %d\n", slow);
    return 0;
}
