/* leaver PATH FREE ROUNDS: opens the store and closes it, again and again; each time a signal
 * handler leaves the close by siglongjmp, soon after it began. At the end, when no helper is left
 * or 10 s have passed, it prints what is left of all that:
 *
 *   left       the number of closes that were left
 *   threads    those there are
 *   children   those that could be waited for, of whatever kind
 *   grown      the pages that the address space has grown by since the first tenth of the rounds
 *
 * FREE is a store that nobody holds. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* The library remembers 64 helpers that are processes; on a busy machine they take long to end. */
enum { at_once = 32 };

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

static bool has_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

/* The helpers of closes that were left end by themselves. Where they are processes, a later close
 * reaps those that have ended by then. */
static void await_helpers(const char *free_store)
{
    for (int i = 0; i < 1000 && (count_threads() > 1 || has_children()); i++) {
        usleep(10000);
        close(open(free_store, O_RDWR));
    }
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
    if (argc < 4)
        return 2;
    const volatile int rounds = atoi(argv[3]);
    volatile long left = 0;
    volatile long pages = 0;
    signal(SIGALRM, leave);
    for (volatile int round = 0; round < rounds; round++) {
        if (round % at_once == 0)
            await_helpers(argv[2]);
        if (round == rounds / 10)
            pages = count_pages();
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
    await_helpers(argv[2]);
    printf("left %ld\nthreads %ld\nchildren %ld\ngrown %ld\n", left, count_threads(),
           count_children(), count_pages() - pages);
    return 0;
}
