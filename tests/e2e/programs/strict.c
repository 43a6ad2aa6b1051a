/* strict [close] STORE: a host that goes into seccomp's strict mode, where the kernel kills for all
 * but read, write, exit and the return from a signal handler; then ends, or closes its store first.
 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static const char closed[] = "closed\n";
    char line[16];
    int fd = open(argv[argc - 1], O_RDWR);
    puts("open");
    fflush(stdout);
    if (fd < 0 || fgets(line, sizeof line, stdin) == NULL ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) != 0)
        return 1;
    if (argc == 3)
        close(fd);
    ssize_t written = write(1, closed, strlen(closed));
    syscall(SYS_exit, written == (ssize_t)strlen(closed) ? 7 : 1);
}
