/* synced STORE: a host whose other thread closes its store, while it puts a seccomp filter on all
 * of its threads (SECCOMP_FILTER_FLAG_TSYNC), which kills for what it has no use for from then on.
 * Says "open", reads a line, closes, says "filtered" once the filter is there, and "closed". */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int needless[] = {
    SYS_openat,     SYS_ppoll,         SYS_inotify_init1, SYS_inotify_add_watch, SYS_close_range,
    SYS_newfstatat, SYS_rt_sigpending, SYS_signalfd4,     SYS_sched_yield,       SYS_fcntl,
    SYS_fstatfs,    SYS_getdents64,    SYS_readlinkat,
};
enum { NEEDLESS = sizeof needless / sizeof needless[0] };

static void *close_store(void *fd)
{
    close((int)(long)fd);
    return NULL;
}

static long filter(void)
{
    struct sock_filter code[NEEDLESS + 3];
    struct sock_fprog program = {NEEDLESS + 3, code};
    code[0] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < NEEDLESS; i++)
        code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)needless[i],
                                                   (unsigned char)(NEEDLESS - i), 0);
    code[NEEDLESS + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[NEEDLESS + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
}

int main(int argc, char **argv)
{
    char line[16];
    pthread_t thread;
    int fd = argc == 2 ? open(argv[1], O_RDWR | O_CREAT, 0600) : -1;
    if (fd < 0)
        return 2;
    puts("open");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL ||
        pthread_create(&thread, NULL, close_store, (void *)(long)fd) != 0)
        return 2;
    usleep(100000); /* it waits by now, if it does at all */
    printf("filtered %ld\n", filter());
    fflush(stdout);
    pthread_join(thread, NULL);
    puts("closed");
    fflush(stdout);
    usleep(50000); /* whatever is left behind would be killed for by now */
    return 7;
}
