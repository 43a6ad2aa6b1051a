/* signals ACTION [OTHER]: each line on its input names one or two stores. Opens them, closes them
 * (two by close_range), and says "closed" with the result, errno, and the number of signals that
 * were handled so far. The handler says "handled", does ACTION, and says "done":
 *   count       nothing more
 *   interrupt   nothing more, and is installed without SA_RESTART
 *   default     there is no handler
 *   linger      stays for 400 ms
 *   close       closes OTHER
 *   reopen      opens the first store and closes it
 *   _exit       _exit(5)
 *   exit        exit(6)
 *   leave       siglongjmps out of the close; "left" is said instead of "closed"
 *   fork        makes a child
 * The child returns from the handler and says "child" instead of "closed"; then it opens the first
 * store and closes it, says "child again", and ends by exit. Once it has, and its own close has
 * returned, the parent says "ended STATUS". */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *action;
static char paths[2][4096];
static int fds[2];
static int other = -1;
static volatile sig_atomic_t handled;
static volatile pid_t child = -1; /* -1: none; 0: this is it */
static sigjmp_buf before_close;

static bool acts(const char *name)
{
    return strcmp(action, name) == 0;
}

static int open_and_close(void)
{
    int fd = open(paths[0], O_RDWR);
    return fd < 0 ? -1 : close(fd);
}

static void say(const char *line)
{
    if (write(1, line, strlen(line)) < 0)
        _exit(9);
}

static void handle(int signal)
{
    const struct timespec long_time = {.tv_nsec = 400000000};
    int saved = errno;
    (void)signal;
    handled++;
    say("handled\n");
    if (acts("linger"))
        nanosleep(&long_time, NULL);
    else if (acts("close"))
        close(other);
    else if (acts("reopen"))
        open_and_close();
    else if (acts("_exit"))
        _exit(5);
    else if (acts("exit"))
        exit(6);
    else if (acts("leave"))
        siglongjmp(before_close, 1);
    else if (acts("fork"))
        child = fork();
    say("done\n");
    errno = saved;
}

static void install(void)
{
    static const int signals[] = {SIGUSR1, SIGALRM, SIGIO, SIGCHLD};
    struct sigaction how = {.sa_handler = handle, .sa_flags = acts("interrupt") ? 0 : SA_RESTART};
    for (size_t i = 0; !acts("default") && i < sizeof signals / sizeof signals[0]; i++)
        if (signals[i] != SIGCHLD || !acts("fork"))
            sigaction(signals[i], &how, NULL);
}

static void close_stores(void)
{
    errno = 12345;
    int result = fds[1] < 0 ? close(fds[0]) : close_range((unsigned)fds[0], (unsigned)fds[1], 0);
    printf("%s %d %d %d\n", child == 0 ? "child" : "closed", result, errno, (int)handled);
    fflush(stdout);
}

static void go_on_as_child(void)
{
    open_and_close();
    puts("child again");
    fflush(stdout);
    exit(7);
}

static void await_child(void)
{
    int status = -1;
    waitpid(child, &status, 0);
    printf("ended %d\n", WEXITSTATUS(status));
    fflush(stdout);
    child = -1;
}

int main(int argc, char **argv)
{
    char line[8300];
    if (argc < 2)
        return 2;
    action = argv[1];
    install();
    while (fgets(line, sizeof line, stdin) != NULL) {
        const int count = sscanf(line, "%4095s %4095s", paths[0], paths[1]);
        fds[0] = open(paths[0], O_RDWR);
        fds[1] = count == 2 ? open(paths[1], O_RDWR) : -1;
        if (argc > 2)
            other = open(argv[2], O_RDWR);
        if (sigsetjmp(before_close, 1) == 0) {
            close_stores();
        } else {
            puts("left");
            fflush(stdout);
        }
        if (child == 0)
            go_on_as_child();
        if (child > 0)
            await_child();
    }
    return 0;
}
