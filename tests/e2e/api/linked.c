/* linked MODE PATH MAX_WAIT CHECK_INTERVAL: a program that links the library. Calls settle.h's
 * functions and prints "SETTLED ERROR SECONDS ERRNO".
 *   file, store   for a path; "NULL" is none
 *   locked        for a file on which this process has a lock; then waits for a line
 *   handler       for a file, in signal handlers that interrupt malloc; prints the first bad result
 *   threads       for a file, 100 times in each of 8 threads; likewise
 *   close         opens and closes the file
 */
#include <settle.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static const char *path;
static double max_wait;
static double check_interval;
static struct settle_result worst = {.settled = 1};
static volatile sig_atomic_t calls;

static void print(struct settle_result result)
{
    printf("%d %d %.6f %d\n", result.settled, result.error, result.elapsed, errno);
    fflush(stdout);
}

static void call(int number)
{
    struct settle_result result = settle_wait_file(path, max_wait, check_interval);
    (void)number;
    if (!result.settled)
        worst = result;
    calls++;
}

static void call_in_handlers(void)
{
    const struct itimerval often = {.it_interval = {.tv_usec = 500}, .it_value = {.tv_usec = 500}};
    struct sigaction action = {.sa_handler = call};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    while (calls < 200)
        free(malloc(100000));
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {.tv_usec = 0}}, NULL);
}

static void *call_often(void *unused)
{
    for (int i = 0; i < 100; i++)
        call(0);
    return unused;
}

static void call_in_threads(void)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, call_often, NULL);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

static int lock(void)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    return fcntl(fd, F_SETLK, &all);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    path = strcmp(argv[2], "NULL") == 0 ? NULL : argv[2];
    max_wait = strtod(argv[3], NULL);
    check_interval = strtod(argv[4], NULL);
    errno = EXDEV;
    if (strcmp(argv[1], "file") == 0) {
        print(settle_wait_file(path, max_wait, check_interval));
    } else if (strcmp(argv[1], "store") == 0) {
        print(settle_wait_store(path, max_wait));
    } else if (strcmp(argv[1], "locked") == 0) {
        if (lock() < 0)
            return 1;
        print(settle_wait_file(path, max_wait, check_interval));
        getchar();
    } else if (strcmp(argv[1], "handler") == 0) {
        call_in_handlers();
        print(worst);
    } else if (strcmp(argv[1], "threads") == 0) {
        call_in_threads();
        print(worst);
    } else if (strcmp(argv[1], "close") == 0) {
        return close(open(path, O_RDWR | O_CLOEXEC));
    }
    return 0;
}
