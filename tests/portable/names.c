/* names STEP PATH: calls what a libc may lack and the library has all the same, found as a program
 * finds it that does not know its libc.
 *   open64     opens PATH, and closes it at a line of input
 *   cancel64   cancels a thread that sits in an open of PATH, a FIFO
 *   closefrom  closes the descriptors from 10 on */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int (*open_by_other_name)(const char *path, int flags, ...);

static void say(const char *what)
{
    puts(what);
    fflush(stdout);
}

static void *sit_in_open(void *path)
{
    open_by_other_name(path, O_RDONLY);
    return NULL;
}

static int cancel_an_open(char *path)
{
    pthread_t thread;
    void *result = NULL;
    pthread_create(&thread, NULL, sit_in_open, path);
    usleep(100000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    say(result == PTHREAD_CANCELED ? "cancelled" : "not cancelled");
    return 0;
}

static int open_and_close(const char *path)
{
    char line[16];
    int fd = open_by_other_name(path, O_RDWR);
    say("open");
    if (fgets(line, sizeof line, stdin) == NULL || close(fd) < 0)
        return 1;
    say("closed");
    return 0;
}

static int close_from_ten(void)
{
    void (*closefrom_or_null)(int) = (void (*)(int))dlsym(RTLD_DEFAULT, "closefrom");
    if (dup2(0, 9) < 0 || dup2(0, 10) < 0 || dup2(0, 50) < 0 || closefrom_or_null == NULL)
        return 1;
    closefrom_or_null(10);
    printf("%d %d %d\n", fcntl(9, F_GETFD), fcntl(10, F_GETFD), fcntl(50, F_GETFD));
    return 0;
}

int main(int argc, char **argv)
{
    open_by_other_name = (int (*)(const char *, int, ...))dlsym(RTLD_DEFAULT, "open64");
    if (argc != 3 || open_by_other_name == NULL)
        return 2;
    if (strcmp(argv[1], "open64") == 0)
        return open_and_close(argv[2]);
    if (strcmp(argv[1], "cancel64") == 0)
        return cancel_an_open(argv[2]);
    return close_from_ten();
}
