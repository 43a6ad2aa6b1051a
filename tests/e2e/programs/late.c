/* late WHEN STORE: a host that closes its store after main has returned.
 * WHEN: atexit, quick (at_quick_exit), destructor. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fd = -1;
static int destroyed = -1;

static void close_store(void)
{
    int result = close(fd);
    printf("closed %d\n", result);
    fflush(stdout);
}

static __attribute__((destructor)) void destroy(void)
{
    if (destroyed < 0)
        return;
    fd = destroyed;
    close_store();
}

int main(int argc, char **argv)
{
    char line[16];
    if (argc != 3)
        return 2;
    fd = open(argv[2], O_RDWR);
    if (strcmp(argv[1], "atexit") == 0)
        atexit(close_store);
    else if (strcmp(argv[1], "quick") == 0)
        at_quick_exit(close_store);
    else
        destroyed = fd;
    puts("open");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        return 1;
    if (strcmp(argv[1], "quick") == 0)
        quick_exit(7);
    return 7;
}
