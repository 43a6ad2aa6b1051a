/* preinit STORE: a host that opens and closes its store before any constructor has run, and again
 * in main. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int opened = -1;
static int closed = -1;
static int stream_closed = -1;

static void before_all(int argc, char **argv, char **environment)
{
    (void)environment;
    opened = open(argv[argc - 1], O_RDWR);
    closed = close(opened);
    FILE *stream = fopen(argv[argc - 1], "r+");
    stream_closed = stream == NULL ? -1 : fclose(stream);
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **,
                                                                              char **) = before_all;

int main(int argc, char **argv)
{
    char line[16];
    int fd = open(argv[argc - 1], O_RDWR);
    printf("before: %d %d %d, then: %d\n", opened, closed, stream_closed, fd);
    puts("open");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        return 1;
    printf("closed %d\n", close(fd));
    return 7;
}
