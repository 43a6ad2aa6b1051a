/* stopped none|closes PATH: stopped.py for a root without Python. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fd;

static void close_store(int signal)
{
    (void)signal;
    _exit(close(fd) == 0 ? 7 : 1);
}

int main(int argc, char **argv)
{
    if (argc != 3 || (fd = open(argv[2], O_RDWR)) < 0)
        return 2;
    if (strcmp(argv[1], "closes") == 0)
        signal(SIGTERM, close_store);
    puts("open");
    fflush(stdout);
    for (;;)
        pause();
}
