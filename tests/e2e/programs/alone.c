/* alone HOW FILE: opens the file as SQLite does, says so, and for a line closes it and does at once
 * what minds other threads: unshare (a user namespace), setns (the mounts that it has), fork (and
 * says how many threads there are). At the end: what came of it. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* As Python does that warns of threads (get_number_of_os_threads): field 20 of proc(5). */
static int threads(void)
{
    char line[1024] = "";
    FILE *stat = fopen("/proc/self/stat", "r");
    if (stat == NULL || fgets(line, sizeof line, stat) == NULL)
        return -1;
    fclose(stat);
    char *at = strrchr(line, ')');
    for (int field = 2; at != NULL && field < 20; field++)
        at = strchr(at + 1, ' ');
    return at == NULL ? -1 : atoi(at);
}

static int forked(void)
{
    const pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    const int count = threads();
    waitpid(pid, NULL, 0);
    return count;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const int mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    const int fd = open(argv[2], O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    puts("open");
    fflush(stdout);
    if (getchar() != '\n' || close(fd) < 0)
        return 1;
    int result = 0;
    if (strcmp(argv[1], "unshare") == 0)
        result = unshare(CLONE_NEWUSER);
    else if (strcmp(argv[1], "setns") == 0)
        result = setns(mounts, CLONE_NEWNS);
    else
        result = forked();
    printf("%s %d\n", result < 0 ? strerror(errno) : "result", result);
    return 0;
}
