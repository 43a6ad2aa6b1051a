/* The filter of the supervisor: which calls it asks about, followed as the kernel follows it. */
#include "supervise/filter.h"

#include "unit.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>

TestSuite(filter, .timeout = 10);

#if defined(__x86_64__)
enum { ARCHITECTURE = (int)AUDIT_ARCH_X86_64, OTHER = AUDIT_ARCH_I386 };
#elif defined(__aarch64__)
enum { ARCHITECTURE = (int)AUDIT_ARCH_AARCH64, OTHER = AUDIT_ARCH_ARM };
#endif

enum { NOT_KNOWN = 1 };

/* What a filter answers, run as the kernel runs it when the filter is installed, to learn which
 * calls it need not run it for: it follows loads of the architecture and the number, comparisons
 * with constants, and gives up at anything else (seccomp_is_const_allow in kernel/seccomp.c). */
static unsigned answer(const struct sock_filter *code, unsigned count, unsigned architecture,
                       unsigned number)
{
    unsigned a = 0;
    for (unsigned at = 0; at < count; at++)
        switch (code[at].code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (code[at].k != offsetof(struct seccomp_data, nr) &&
                code[at].k != offsetof(struct seccomp_data, arch))
                return NOT_KNOWN;
            a = code[at].k == offsetof(struct seccomp_data, nr) ? number : architecture;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += a == code[at].k ? code[at].jt : code[at].jf;
            break;
        case BPF_RET | BPF_K:
            return code[at].k;
        default:
            return NOT_KNOWN;
        }
    return NOT_KNOWN;
}

static bool is_one_that_closes(unsigned number)
{
#ifdef SYS_dup2
    if (number == SYS_dup2)
        return true;
#endif
    return number == SYS_close || number == SYS_dup3 || number == SYS_close_range;
}

static void expect_asked(bool exits)
{
    struct sock_filter code[FILTER_MOST];
    const unsigned count = filter_write(code, exits);
    cr_assert_leq(count, (unsigned)FILTER_MOST);
    for (unsigned number = 0; number < 1024; number++) {
        const bool asked =
            is_one_that_closes(number) || (exits && number == (unsigned)SYS_exit_group);
        cr_expect_eq(answer(code, count, (unsigned)ARCHITECTURE, number),
                     asked ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW, "system call %u", number);
        cr_expect_eq(answer(code, count, OTHER, number), SECCOMP_RET_ALLOW,
                     "system call %u of another architecture", number);
    }
}

Test(filter, four_calls_are_asked_about_and_the_kernel_knows_that_of_all_others)
{
    expect_asked(false);
}

Test(filter, the_end_of_a_process_is_asked_about_where_it_is_wanted)
{
    expect_asked(true);
}

static int installed_twice(void)
{
    const char *why = "";
    const int listener = filter_install(false, &why);
    if (listener < 0 || (fcntl(listener, F_GETFD) & FD_CLOEXEC) == 0)
        return 1;
    if (filter_install(false, &why) != -EBUSY)
        return 2;
    return strstr(why, "one only") == NULL ? 3 : 0;
}

Test(filter, there_can_be_one_listener_and_the_reason_is_told)
{
    cr_expect_eq(in_child(installed_twice), 0);
}
