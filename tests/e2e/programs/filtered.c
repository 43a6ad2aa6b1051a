/* filtered SYSCALL ACTION -- COMMAND...: runs a command under a seccomp filter that lets everything
 * pass but one system call. ACTION: eperm, enosys, einval; kill-thread, kill-process; trap (a
 * SIGSYS). */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static const struct word {
    const char *name;
    uint32_t value;
} syscalls[] =
    {
        {"clone", SYS_clone},
        {"close_range", SYS_close_range},
        {"inotify_init1", SYS_inotify_init1},
        {"inotify_add_watch", SYS_inotify_add_watch},
        {"kcmp", SYS_kcmp},
        {"madvise", SYS_madvise},
        {"ptrace", SYS_ptrace},
        {"seccomp", SYS_seccomp},
        {"acct", SYS_acct}, /* which nobody needs */
},
  actions[] = {
      {"eperm", SECCOMP_RET_ERRNO | EPERM},       {"enosys", SECCOMP_RET_ERRNO | ENOSYS},
      {"einval", SECCOMP_RET_ERRNO | EINVAL},     {"kill-thread", SECCOMP_RET_KILL_THREAD},
      {"kill-process", SECCOMP_RET_KILL_PROCESS}, {"trap", SECCOMP_RET_TRAP},
};

static const struct word *word(const struct word *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    fprintf(stderr, "filtered: unknown word '%s'\n", name);
    return NULL;
}

static int install(uint32_t number, uint32_t action)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = COUNT(code), .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
               ? -1
               : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int main(int argc, char **argv)
{
    const struct rlimit no_dumps = {0, 0};
    if (argc < 5 || strcmp(argv[3], "--") != 0) {
        fprintf(stderr, "usage: filtered SYSCALL ACTION -- COMMAND...\n");
        return 2;
    }
    const struct word *number = word(syscalls, COUNT(syscalls), argv[1]);
    const struct word *action = word(actions, COUNT(actions), argv[2]);
    if (number == NULL || action == NULL)
        return 2;
    setrlimit(RLIMIT_CORE, &no_dumps);
    if (install(number->value, action->value) == 0)
        execvp(argv[4], argv + 4);
    perror(argv[4]);
    return 127;
}
