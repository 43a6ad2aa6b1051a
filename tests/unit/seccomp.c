/* Helpers under seccomp filters: where one is made, as what, and what becomes of it when the filter
 * refuses or kills. */
#include "helper/seccomp.h"
#include "base/clock.h"

#include "helper/helper.h"
#include "unit.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>

TestSuite(seccomp, .timeout = 30);

/* A filter that takes `action` for one system call and lets the others pass. */
static bool filter_out(unsigned number, unsigned action)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    seccomp_start(gnu_get_libc_version()); /* which libsettle's constructor tells */
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void some_work(void *request)
{
    *(int *)request = 1;
}

/* What helper_run says under the filter; 100 if it says that the work was done and it was not. */
static int run_helper(void)
{
    struct helper *h = helper_new(sizeof(int));
    int error = helper_run(h, some_work, clock_now() + 1000ull * MS);
    return error == 0 && *(int *)helper_request(h) != 1 ? 100 : error;
}

Test(seccomp, without_one_nothing_is_in_the_way)
{
    if (prctl(PR_GET_SECCOMP) != 0) {
        cr_log_warn("SKIPPED: these tests run under a filter themselves");
        return;
    }
    cr_expect_not(seccomp_is_on());
    cr_expect_eq(run_helper(), 0);
}

/* --- whether clone passes --- */

static int under_a_filter_of_its_own(void)
{
    if (!filter_out(SYS_clone, SECCOMP_RET_KILL_PROCESS))
        return 100;
    return seccomp_is_on() && seccomp_clone() == SECCOMP_CLONE_IN_DOUBT ? run_helper() : 101;
}

Test(seccomp, a_process_of_which_nothing_shows_that_clone_passes_makes_no_helper)
{
    cr_expect_eq(in_child(under_a_filter_of_its_own), ENOTSUP);
}

static unsigned refused;
static unsigned action;

static int a_child_of_a_filtered_parent(void)
{
    return seccomp_is_on() && seccomp_clone() == SECCOMP_CLONE_PASSES ? run_helper() : 101;
}

static int under_its_parents_filter(void)
{
    return filter_out(refused, action) && seccomp_is_on() ? in_child(a_child_of_a_filtered_parent)
                                                          : 100;
}

Test(seccomp, a_fork_shows_that_clone_passes)
{
    refused = SYS_inotify_init1;
    action = SECCOMP_RET_KILL_PROCESS;
    cr_expect_eq(in_child(under_its_parents_filter), 0);
}

static void *sleep_a_while(void *argument)
{
    usleep(200000);
    return argument;
}

static int with_a_thread_made_later(void)
{
    pthread_t thread;
    if (!filter_out(SYS_inotify_init1, SECCOMP_RET_KILL_PROCESS) || !seccomp_is_on())
        return 100;
    if (seccomp_clone() != SECCOMP_CLONE_IN_DOUBT)
        return 101;
    if (pthread_create(&thread, NULL, sleep_a_while, NULL) != 0)
        return 102;
    return seccomp_clone() == SECCOMP_CLONE_AS_LIBC ? run_helper() : 103;
}

Test(seccomp, threads_show_that_clone_passes)
{
    cr_expect_eq(in_child(with_a_thread_made_later), 0);
}

/* --- what a filter does to the helper --- */

Test(seccomp, a_filter_that_kills_the_helper_leaves_the_program_alone)
{
    static const unsigned actions[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD,
                                       SECCOMP_RET_TRAP};
    refused = SYS_close_range;
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        action = actions[i];
        cr_expect_eq(in_child(under_its_parents_filter), ECANCELED, "action %#x", action);
    }
}

Test(seccomp, a_filter_that_refuses_says_why)
{
    refused = SYS_close_range;
    action = SECCOMP_RET_ERRNO | EPERM;
    cr_expect_eq(in_child(under_its_parents_filter), EPERM);
    action = SECCOMP_RET_ERRNO | ENOSYS;
    cr_expect_eq(in_child(under_its_parents_filter), ENOSYS);
}

static volatile sig_atomic_t children_that_ended;

static void count_child(int signal)
{
    (void)signal;
    children_that_ended++;
}

static int look_for_children(void)
{
    int status;
    signal(SIGCHLD, count_child);
    for (int i = 0; i < 20; i++)
        if (run_helper() != 0)
            return 101;
    if (children_that_ended != 0)
        return 102;
    return waitpid(-1, &status, __WALL | WNOHANG) == -1 && errno == ECHILD ? 0 : 103;
}

static int with_children_to_look_for(void)
{
    return filter_out(SYS_inotify_init1, SECCOMP_RET_KILL_PROCESS) && seccomp_is_on()
               ? in_child(look_for_children)
               : 100;
}

Test(seccomp, a_helper_that_is_a_process_sends_no_signal_and_leaves_no_child)
{
    cr_expect_eq(in_child(with_children_to_look_for), 0);
}
