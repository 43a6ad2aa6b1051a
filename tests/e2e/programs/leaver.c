/* leaver PATH ROUNDS: opens the store and closes it, again and again; each time a signal handler
 * leaves the close by siglongjmp, soon after it began. A while later it opens and closes the store
 * once more, and prints what is left of all that:
 *   left       the number of closes that were left
 *   threads    those there are
 *   children   those that could be waited for, of whatever kind
 *   grown      the pages that the address space has grown by since the first tenth of the rounds
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf before_close;

static void leave(int signal)
{
    (void)signal;
    siglongjmp(before_close, 1);
}

static void alarm_in(suseconds_t us)
{
    const struct itimerval timer = {.it_value = {.tv_usec = us}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static long count_threads(void)
{
    struct stat st;
    return stat("/proc/self/task", &st) == 0 ? (long)st.st_nlink - 2 : -1;
}

static long count_pages(void)
{
    long pages = -1;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL && fscanf(file, "%ld", &pages) != 1)
        pages = -1;
    if (file != NULL)
        fclose(file);
    return pages;
}

/* The helpers of closes that were left end by themselves. */
static void await_threads(void)
{
    for (int i = 0; i < 3000 && count_threads() > 1; i++)
        usleep(1000);
}

static long count_children(void)
{
    long count = 0;
    while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
        count++;
    return count;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    const volatile int rounds = atoi(argv[2]);
    volatile long left = 0;
    volatile long pages = 0;
    signal(SIGALRM, leave);
    for (volatile int round = 0; round < rounds; round++) {
        if (round == rounds / 10) {
            await_threads();
            pages = count_pages();
        }
        volatile int fd = open(argv[1], O_RDWR);
        if (sigsetjmp(before_close, 1) != 0) {
            left++;
            close(fd); /* should it have been left before anything was closed */
            continue;
        }
        alarm_in(1000);
        close(fd);
        alarm_in(0);
    }
    usleep(300000); /* more than the waits and their ends take */
    close(open(argv[1], O_RDWR));
    await_threads();
    printf("left %ld\nthreads %ld\nchildren %ld\ngrown %ld\n", left, count_threads(),
           count_children(), count_pages() - pages);
    return 0;
}
