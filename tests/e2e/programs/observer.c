/* observer PATH: opens the store, says "open", closes it at a line on its input, and prints all
 * that a program can see of a close: its result, signals, children, descriptors, threads. While the
 * close may be waiting, a child of its own writes to a pipe, which raises SIGIO, and ends, which
 * raises SIGCHLD; then an alarm goes off. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIGNALS = 65 };
static volatile int counts[SIGNALS];
static volatile int reaped;

/* What the handler of the alarm sees, in the middle of the close. */
static struct view {
    sigset_t mask;
    pid_t any; /* waitpid(-1, WNOHANG | __WALL) */
    int any_error;
    pid_t clone; /* the same with __WCLONE */
    int clone_error;
} view;

static void look(void)
{
    pthread_sigmask(SIG_BLOCK, NULL, &view.mask);
    view.any = waitpid(-1, NULL, WNOHANG | __WALL);
    view.any_error = errno;
    view.clone = waitpid(-1, NULL, WNOHANG | (int)__WCLONE);
    view.clone_error = errno;
}

static void handle(int signal)
{
    int saved = errno;
    if (signal == SIGCHLD)
        while (waitpid(-1, NULL, WNOHANG) > 0)
            reaped++;
    if (signal == SIGALRM)
        look();
    counts[signal]++;
    errno = saved;
}

static void handle_all(void)
{
    struct sigaction how = {.sa_handler = handle, .sa_flags = SA_RESTART};
    for (int i = 1; i < SIGNALS; i++)
        sigaction(i, &how, NULL);
}

static void make_child(void)
{
    static int ends[2]; /* the last close of either end would raise SIGIO once more */
    if (pipe(ends) < 0)
        exit(1);
    fcntl(ends[0], F_SETOWN, getpid());
    fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK);
    if (fork() == 0) {
        usleep(100000);
        _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
}

static void print_set(const char *name, const sigset_t *set)
{
    printf("%s:", name);
    for (int i = 1; i < SIGNALS; i++)
        if (sigismember(set, i) == 1)
            printf(" %d", i);
    puts("");
}

static void print_numbers_in(const char *directory)
{
    long sum = 0;
    int count = 0;
    DIR *listing = opendir(directory);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        if (entry->d_name[0] != '.') {
            sum += atol(entry->d_name);
            count++;
        }
    closedir(listing);
    /* thread ids differ from run to run */
    printf("%s: %d, sum %ld\n", directory, count, strstr(directory, "task") == NULL ? sum : 0);
}

/* The thread that waited for the close may need a moment more to end. */
static void await_threads(void)
{
    struct stat st;
    for (int i = 0; i < 1000 && stat("/proc/self/task", &st) == 0 && st.st_nlink > 3; i++)
        usleep(1000);
}

static void print_all(int result, int error, int next)
{
    struct rusage usage;
    sigset_t set;
    printf("close: %d, errno %d, next descriptor %d\n", result, error, next);
    for (int i = 1; i < SIGNALS; i++)
        if (counts[i] > 0)
            printf("signal %d: %d times\n", i, counts[i]);
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    print_set("mask", &set);
    print_set("mask in the handler", &view.mask);
    sigpending(&set);
    print_set("pending", &set);
    printf("reaped: %d\n", reaped);
    printf("children in the handler: %d, errno %d; clones: %d, errno %d\n", (int)view.any,
           view.any_error, (int)view.clone, view.clone_error);
    int waited = waitpid(-1, NULL, __WALL);
    printf("children: %d, errno %d\n", waited, errno);
    waited = wait(NULL);
    printf("wait: %d, errno %d\n", waited, errno);
    getrusage(RUSAGE_CHILDREN, &usage);
    printf("children's switches: %s\n", usage.ru_nvcsw + usage.ru_nivcsw > 0 ? "some" : "none");
    print_numbers_in("/proc/self/fd");
    await_threads();
    print_numbers_in("/proc/self/task");
}

int main(int argc, char **argv)
{
    char line[16];
    const struct itimerval alarm_time = {.it_value = {.tv_usec = 200000}};
    if (argc < 2)
        return 2;
    int fd = open(argv[1], O_RDWR);
    puts("open");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        return 1;
    handle_all();
    make_child();
    setitimer(ITIMER_REAL, &alarm_time, NULL);

    errno = 12345;
    int result = close(fd);
    int error = errno;
    int next = open("/dev/null", O_RDONLY);
    while (counts[SIGALRM] == 0)
        usleep(1000);
    print_all(result, error, next);
    return 0;
}
