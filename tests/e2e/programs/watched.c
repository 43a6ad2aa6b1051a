/* watched FILE HOW: opens a file and closes it, and prints which events a watch on its directory,
 * the program's own, had of that. HOW: a word for each thing that the process has done before:
 * thread (there is another), child (there was one), flock (the file was locked), stream (it is
 * one). */
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

static void *sleep_on(void *argument)
{
    for (;;)
        pause();
    return argument;
}

static bool prepare(const char *how)
{
    pthread_t thread;
    if (strstr(how, "thread") != NULL && pthread_create(&thread, NULL, sleep_on, NULL) != 0)
        return false;
    if (strstr(how, "child") == NULL)
        return true;
    const pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return waitpid(pid, NULL, 0) == pid;
}

static bool use(const char *file, const char *how)
{
    if (strstr(how, "stream") != NULL) {
        FILE *stream = fopen(file, "r+");
        return stream != NULL && fclose(stream) == 0;
    }
    const int fd = open(file, O_RDWR);
    return fd >= 0 && (strstr(how, "flock") == NULL || flock(fd, LOCK_EX) == 0) && close(fd) == 0;
}

int main(int argc, char **argv)
{
    char directory[4096];
    static _Alignas(struct inotify_event) char events[8192];
    if (argc != 3 || snprintf(directory, sizeof directory, "%s", argv[1]) >= (int)sizeof directory)
        return 2;
    const int watch = inotify_init1(IN_NONBLOCK);
    if (!prepare(argv[2]) ||
        inotify_add_watch(watch, dirname(directory), IN_ACCESS | IN_CLOSE) < 0 ||
        !use(argv[1], argv[2]))
        return 1;
    int reads = 0;
    int closes = 0;
    const ssize_t length = read(watch, events, sizeof events);
    for (ssize_t at = 0; at < length;) {
        const struct inotify_event *event = (const struct inotify_event *)(events + at);
        reads += (event->mask & IN_ACCESS) != 0;
        closes += (event->mask & IN_CLOSE) != 0;
        at += (ssize_t)(sizeof *event + event->len);
    }
    printf("closes %d reads %d\n", closes, reads);
    return 0;
}
