/* strict [close] STORE: a host that goes into seccomp's strict mode, where the kernel kills for all
 * but read, write, exit and the return from a signal handler; then ends, or closes its store first.
 * strict clock STORE: one that forbids itself the instruction that tells the time (PR_SET_TSC) and
 * closes its store; before Linux 6.12 aarch64 knows no such thing. */
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
    if (fd < 0 || fgets(line, sizeof line, stdin) == NULL)
        return 1;
    if (argc == 3 && strcmp(argv[1], "clock") == 0)
        prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
    else if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) != 0)
        return 1;
    if (argc == 3)
        close(fd);
    ssize_t written = write(1, closed, strlen(closed));
    syscall(SYS_exit, written == (ssize_t)strlen(closed) ? 7 : 1);
}
