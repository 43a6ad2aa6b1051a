/* borrower STORE OTHER: has the store open, to read and write, and for a line a child that shares
 * its memory (vfork) and not its descriptors closes that, opens another file by the same number,
 * asks for its size and closes it. Then it closes the store itself, and says so. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int store;
static const char *other;

static int use_other(void)
{
    struct stat st;
    close(store);
    int fd = open(other, O_RDWR | O_CREAT, 0600);
    if (fd != store || write(fd, "x", 1) != 1 || close(fd) < 0)
        return 1;
    fd = open(other, O_RDWR);
    return fd != store || fstat(fd, &st) < 0 || close(fd) < 0;
}

int main(int argc, char **argv)
{
    int status = -1;
    if (argc != 3)
        return 2;
    other = argv[2];
    store = open(argv[1], O_RDWR);
    puts("open");
    fflush(stdout);
    if (getchar() != '\n')
        return 1;
    pid_t pid = vfork();
    if (pid == 0)
        _exit(use_other());
    if (waitpid(pid, &status, 0) != pid || status != 0 || close(store) < 0)
        return 1;
    puts("closed");
    return 0;
}
