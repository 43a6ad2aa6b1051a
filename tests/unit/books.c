/* The books' memory: a fork child begins with nothing, a vfork child shares it, and a process
 * without a store has its mappings as they were. */
#include "track/books.h"

#include "helper/log.h"
#include "unit.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>

static void begin(void)
{
    process_start(pthread_self, pthread_getcpuclockid);
}

TestSuite(books, .init = begin, .timeout = 60);

/* Whether the kernel empties them in a fork child: the flags of their mapping (proc(5), smaps). */
static bool are_emptied(void)
{
    const unsigned long at = (unsigned long)&BOOKS;
    char line[4096];
    bool theirs = false;
    bool emptied = false;
    FILE *file = fopen("/proc/self/smaps", "re");
    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned long first;
        unsigned long end;
        if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
            theirs = first <= at && at < end;
        else if (theirs && strncmp(line, "VmFlags:", 8) == 0)
            emptied = strstr(line, " wf") != NULL;
    }
    fclose(file);
    return emptied;
}

Test(books, the_start_of_a_process_leaves_its_mappings_alone)
{
    cr_expect_not(are_emptied());
    cr_expect_eq(process_home(), 0);
    cr_expect(process_at_home());
    cr_expect(are_emptied(), "from the first question on");
    cr_expect_eq(process_home(), getpid());
}

static void *_Atomic pages;

Test(books, nothing_is_made_for_them_before_they_are_emptied)
{
    cr_expect(process_publish(&pages, 100));
    cr_expect(are_emptied());
}

Test(books, a_vfork_child_does_not_move_in_before_its_parent)
{
    cr_expect_not(in_vfork_child(process_at_home));
    cr_expect_eq(process_home(), 0);
    cr_expect(process_at_home());
}

static int is_at_home(void)
{
    return process_at_home() && process_home() == getpid() && are_emptied() ? 0 : 1;
}

static int moves_in_and_has_a_child(void)
{
    const int own = is_at_home();
    return own != 0 ? own : in_child(is_at_home);
}

Test(books, a_fork_child_that_was_made_before_has_its_own_and_so_has_its_child)
{
    cr_expect_eq(in_child(moves_in_and_has_a_child), 0);
    cr_expect_eq(process_home(), 0);
}

static void refuse_madvise(void)
{
    struct sock_filter rows[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof rows / sizeof rows[0], rows};
    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* Linux before 4.14. */
Test(books, a_kernel_that_cannot_is_named_once_and_nobody_is_at_home)
{
    char said[1024] = "";
    int ends[2];
    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], 2);
    log_start(LOG_WARN, "");
    refuse_madvise();
    cr_expect_not(process_at_home());
    cr_expect_not(process_at_home());
    cr_expect_not(process_publish(&pages, 100));
    cr_expect_eq(process_home(), 0);
    const ssize_t length = read(ends[0], said, sizeof said - 1);
    cr_assert_gt(length, 0);
    const char *line = strstr(said, "off: this kernel cannot keep a table");
    cr_assert_not_null(line, "%s", said);
    cr_expect_null(strstr(line + 1, "off:"), "%s", said);
    cr_expect_not_null(strstr(line, "EINVAL"), "%s", said);
}
