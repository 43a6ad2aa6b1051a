/* facts ROOT COMMAND...: enters ROOT, says what this container keeps from its first process, as
 * that process finds it, and goes on as the command. Linked statically, so that it runs in every
 * root, and no library that is preloaded is in it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Both, effective and permitted, and what an exec could bring back. */
static bool has_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    bool found = syscall(SYS_capget, &header, data) < 0;
    for (int i = 0; i < 2; i++)
        found |= data[i].effective != 0 || data[i].permitted != 0;
    for (int i = 0; i <= CAP_LAST_CAP; i++)
        found |= prctl(PR_CAPBSET_READ, i, 0, 0, 0) > 0;
    return found;
}

static bool can_write_root(void)
{
    int fd = open("/written", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        unlink("/written");
    return fd >= 0 || errno != EROFS;
}

/* Docker's profile answers clone3 with ENOSYS, and keyctl with EPERM; the kernel has both. */
static bool is_filtered(void)
{
    bool no_clone3 = syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS;
    bool no_keyctl = syscall(SYS_keyctl, 0, 0, 0, 0, 0) < 0 && errno == EPERM;
    return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2 && no_clone3 && no_keyctl;
}

static const char *yes(bool fact)
{
    return fact ? "yes" : "no";
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    if (strcmp(argv[1], "/") != 0 && (chroot(argv[1]) < 0 || chdir("/") < 0)) {
        perror(argv[1]);
        return 1;
    }
    printf("facts pid=%d uid=%d capabilities=%s no_new_privs=%d filtered=%s root_writable=%s "
           "proc=%s proc_sys=%s\n",
           (int)getpid(), (int)getuid(), yes(has_capabilities()),
           prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), yes(is_filtered()), yes(can_write_root()),
           yes(access("/proc/self/status", R_OK) == 0),
           yes(access("/proc/sys/kernel/pid_max", R_OK) == 0));
    fflush(stdout);
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
