/* unshare FIRST FLAGS PATH: opens the store, and then a thread takes these steps, one for each line
 * on the input:
 *   range    close_range(FIRST, the store's descriptor, FLAGS); FIRST: a number, or `self`
 *   thread   opens and closes /dev/null and the store, in whatever table the thread has
 *   child    the same in a fork child of the thread
 *   closed   main closes its handle, after the thread has ended
 * It says each step's word and 0 or errno. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int fd;
static unsigned first;
static int flags;
static const char *path;

static void say(const char *word, int result)
{
    printf("%s %d\n", word, result);
    fflush(stdout);
}

static void await_input(void)
{
    char line[16];
    if (fgets(line, sizeof line, stdin) == NULL)
        exit(3);
}

static void open_and_close(const char *file)
{
    int own = open(file, O_RDWR);
    if (own < 0 || close(own) < 0)
        exit(1);
}

static void *use_own_table(void *unused)
{
    await_input();
    say("range", close_range(first, (unsigned)fd, flags) == 0 ? 0 : errno);
    await_input();
    open_and_close("/dev/null");
    open_and_close(path);
    say("thread", 0);
    await_input();
    pid_t child = fork();
    if (child == 0) {
        open_and_close("/dev/null");
        open_and_close(path);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    say("child", status);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    if (argc < 4)
        return 2;
    path = argv[3];
    flags = atoi(argv[2]);
    fd = open(path, O_RDWR);
    first = strcmp(argv[1], "self") == 0 ? (unsigned)fd : (unsigned)atoi(argv[1]);
    say("open", 0);
    pthread_create(&thread, NULL, use_own_table, NULL);
    pthread_join(thread, NULL);
    await_input();
    say("closed", close(fd) == 0 ? 0 : errno);
    return 0;
}
