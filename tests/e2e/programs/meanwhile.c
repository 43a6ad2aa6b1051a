/* meanwhile EVENT PATH: opens the store, says "open", and closes it on a thread of its own at a
 * line on its input. While that close waits, the next line makes the main thread do EVENT:
 *   fork          makes a child that ends at once
 *   fork-open     makes a child that opens and closes the store
 *   exec          becomes a program that says "again", and opens and closes the store
 *   exec-aside    the same on a third thread
 *   lowest        opens a file
 *   cancel        cancels the thread, which then comes to a cancellation point
 *   cancel-async  cancels the thread, which may be cancelled anywhere
 *   cancel-int    as cancel, in a process that handles SIGINT
 *   group         sets its group to what it is, for which libc interrupts each thread
 *   handler       begins to handle SIGUSR1, and sends it to the thread
 * It says "event RESULT", and when the thread has ended "closed RESULT" and how it ended. At a
 * third line it opens and closes the store once more, and says "again RESULT"; a fourth ends it. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *event;
static const char *path;
static int fd;
static pthread_t closer;
static volatile int result = -2; /* the close has not returned */

static void say(const char *word, int number)
{
    printf("%s %d\n", word, number);
    fflush(stdout);
}

static void await_input(void)
{
    char line[16];
    if (fgets(line, sizeof line, stdin) == NULL)
        exit(3);
}

static int open_and_close(const char *file)
{
    int own = open(file, O_RDWR);
    return own < 0 ? -1 : close(own);
}

static void *close_store(void *unused)
{
    if (strcmp(event, "cancel-async") == 0)
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    result = close(fd);
    pthread_testcancel();
    return unused;
}

static int child_of_fork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        exit(open_and_close(strcmp(event, "fork") == 0 ? "/dev/null" : path));
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
}

static void *become_another(void *unused)
{
    execl("/proc/self/exe", "meanwhile", "again", path, NULL);
    return unused;
}

static int become_another_on_a_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, become_another, NULL);
    pthread_join(thread, NULL);
    return -1;
}

static void do_nothing(int signal)
{
    (void)signal;
}

static int handle_and_send(int signal)
{
    const struct sigaction action = {.sa_handler = do_nothing};
    sigaction(signal, &action, NULL);
    return pthread_kill(closer, signal);
}

static int do_event(void)
{
    if (strcmp(event, "handler") == 0)
        return handle_and_send(SIGUSR1);
    if (strcmp(event, "group") == 0)
        return setgid(getgid());
    if (strncmp(event, "cancel", 6) == 0)
        return pthread_cancel(closer);
    if (strcmp(event, "exec") == 0)
        become_another(NULL);
    if (strcmp(event, "exec-aside") == 0)
        return become_another_on_a_thread();
    if (strcmp(event, "lowest") == 0) /* the number that the close has freed */
        return open("/dev/null", O_RDONLY) - fd;
    return child_of_fork();
}

int main(int argc, char **argv)
{
    void *end;
    if (argc < 3)
        return 2;
    event = argv[1];
    path = argv[2];
    if (strcmp(event, "again") == 0) {
        puts("again");
        fflush(stdout);
        say("closed", open_and_close(path));
        return 0;
    }

    if (strcmp(event, "cancel-int") == 0)
        signal(SIGINT, do_nothing);
    fd = open(path, O_RDWR);
    say("open", 0);
    await_input();
    pthread_create(&closer, NULL, close_store, NULL);
    await_input();
    say("event", do_event());
    pthread_join(closer, &end);
    printf("closed %d, %s\n", result, end == PTHREAD_CANCELED ? "cancelled" : "not cancelled");
    fflush(stdout);
    await_input();
    say("again", open_and_close(path));
    await_input();
    return 0;
}
