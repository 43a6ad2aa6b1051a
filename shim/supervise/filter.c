#include "supervise/filter.h"

#include "base/sys.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Linux 5.19. Without it a signal that arrives while we look would have the close fail with EINTR,
 * or begin again. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#if defined(__x86_64__)
static const unsigned own_architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
static const unsigned own_architecture = AUDIT_ARCH_AARCH64;
#endif

/* The last is for those who want it. */
static const unsigned calls[] = {
    SYS_close,
#ifdef SYS_dup2
    SYS_dup2,
#endif
    SYS_dup3,  SYS_close_range, SYS_exit_group,
};
enum { CALLS = sizeof calls / sizeof calls[0] };
_Static_assert(CALLS + 5 <= FILTER_MOST, "an array of that size holds it");

unsigned filter_write(struct sock_filter code[FILTER_MOST], bool exits)
{
    const unsigned count = exits ? CALLS : CALLS - 1;
    unsigned n = 0;
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, own_architecture, 0,
                                             (unsigned char)(count + 1));
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < count; i++)
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i],
                                                 (unsigned char)(count - i), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    return n;
}

static long install(bool exits)
{
    struct sock_filter code[FILTER_MOST];
    const struct sock_fprog program = {(unsigned short)filter_write(code, exits), code};
    return sys_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                    SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
                    (long)&program, 0, 0, 0);
}

static const char *meaning(long error)
{
    switch (error) {
    case -EBUSY:
        return "the program would already be under a supervisor (another settle --supervise, a "
               "container manager that answers system calls): there can be one only";
    case -EINVAL:
        return "needs Linux 5.19 or later, built with CONFIG_SECCOMP_FILTER";
    case -ENOSYS:
        return "this kernel, or the sandbox that this runs in, has no seccomp filters";
    case -EACCES:
    case -EPERM:
        return "the filter that this runs under refuses seccomp(2)";
    default:
        return "the kernel refuses the filter";
    }
}

int filter_install(bool exits, const char **why)
{
    long result = install(exits);
    if (result == -EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        result = install(exits); /* without CAP_SYS_ADMIN */
    *why = meaning(result);
    return (int)result;
}
