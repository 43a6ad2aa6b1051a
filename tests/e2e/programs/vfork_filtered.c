/* vfork_filtered STORE: a host that starts a child under a seccomp filter, with vfork, before it
 * closes its store. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void filter_yourself(void)
{
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = 1, .filter = code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int main(int argc, char **argv)
{
    char line[16];
    int fd = argc == 2 ? open(argv[1], O_RDWR) : -1;
    puts("open");
    fflush(stdout);
    if (fd < 0 || fgets(line, sizeof line, stdin) == NULL)
        return 1;
    pid_t child = vfork();
    if (child == 0) {
        filter_yourself();
        execl("/bin/sh", "sh", "-c", "grep '^Seccomp:' /proc/self/status; exit 5", (char *)NULL);
        _exit(1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    close(fd);
    printf("closed after exit %d\n", WEXITSTATUS(status));
    return 0;
}
