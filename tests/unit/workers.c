/* The workers of a dispatcher: calls of those that have ended go on. */
#include "supervise/workers.h"

#include "asked.h"

#include <sys/resource.h>

static unsigned left;

static void leave(void)
{
    left++;
}

TestSuite(workers, .init = asked_set_up, .fini = asked_tear_down, .timeout = 60);

/* Looks after them as a dispatcher does, until the call has gone on. */
static long look_until_a_result(void)
{
    long result = NO_RESULT;
    for (int n = 0; n < 100 && result == NO_RESULT; n++) {
        workers_look_after(false);
        result = asked_result(&asked, A_MOMENT);
    }
    return result;
}

/* The one whose dispatcher was killed, and then its guard: no child of ours, and no signal. */
Test(workers, the_end_of_one_that_another_dispatcher_had_is_seen)
{
    int ends[2];
    pid_t stranger = 0;
    cr_assert_eq(pipe(ends), 0);
    const pid_t dead_dispatcher = fork();
    if (dead_dispatcher == 0) {
        pid_t pid = another_process();
        _exit(write(ends[1], &pid, sizeof pid) != sizeof pid);
    }
    cr_assert_eq(read(ends[0], &stranger, sizeof stranger), (ssize_t)sizeof stranger);
    slots_hand_over(receive_a_close(), stranger);
    cr_expect_leq(workers_look_after(false), 200u * MS, "it looks again soon");
    cr_expect_eq(asked_result(&asked, 3 * A_MOMENT), NO_RESULT);
    kill(stranger, SIGKILL);
    cr_expect_eq(look_until_a_result(), -EBADF);
    usleep(200000);
    cr_expect_eq(workers_look_after(false), UINT64_MAX, "there is nothing to look for");
}

/* The worker that waits for work: our child besides the one under the filter, and besides those
 * that have ended. It does none. */
static pid_t stopped_spare(void)
{
    char path[64];
    pid_t child = 0;
    pid_t spare = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", getpid(), getpid());
    FILE *children = fopen(path, "re");
    while (children != NULL && fscanf(children, "%d", &child) == 1) {
        siginfo_t ended = {.si_pid = 0};
        waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT);
        if (child != asked.pid && ended.si_pid == 0)
            spare = child;
    }
    if (children != NULL)
        fclose(children);
    cr_assert_gt(spare, 0, "there is none");
    kill(spare, SIGSTOP); /* all of its threads: one of them may be at work for a moment more */
    siginfo_t stopped;
    cr_assert_eq(waitid(P_PID, (id_t)spare, &stopped, WSTOPPED | WNOWAIT), 0);
    return spare;
}

static void kill_worker(pid_t worker)
{
    siginfo_t ended;
    kill(worker, SIGKILL);
    cr_assert_eq(waitid(P_PID, (id_t)worker, &ended, WEXITED | WNOWAIT), 0);
}

Test(workers, one_that_was_killed_is_forgotten_and_what_it_had_goes_on)
{
    workers_start(-1, leave);
    const pid_t worker = stopped_spare();
    workers_hand_over(receive_a_close(), asked.pid);
    cr_expect(workers_has(asked.pid));
    cr_expect_eq(asked_result(&asked, A_MOMENT), NO_RESULT);
    kill_worker(worker);
    workers_look_after(true);
    cr_expect_eq(asked_result(&asked, PATIENCE), -EBADF);
    cr_expect_not(workers_has(asked.pid));
}

Test(workers, one_whose_end_nobody_has_seen_is_replaced)
{
    signal(SIGPIPE, SIG_IGN);
    workers_start(-1, leave);
    pid_t worker = stopped_spare();
    workers_hand_over(receive_a_close(), asked.pid);
    kill_worker(worker);
    slots_continue_lost();
    cr_expect_eq(asked_result(&asked, PATIENCE), -EBADF);
    workers_make_spare();
    worker = stopped_spare();
    workers_hand_over(receive_a_close(), asked.pid);
    cr_expect_eq(asked_result(&asked, A_MOMENT), NO_RESULT, "nobody has it");
    cr_expect(workers_has(asked.pid));
    kill_worker(worker);
    workers_look_after(true);
    cr_expect_eq(asked_result(&asked, PATIENCE), -EBADF);
}

static int without_processes(void)
{
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_NPROC, &none) < 0 ||
        (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0))
        return 1;
    workers_start(-1, leave);
    workers_hand_over(0, 4711);
    return workers_has(4711) ? 2 : 0;
}

Test(workers, where_there_can_be_none_the_call_goes_on)
{
    receive_a_close();
    cr_expect_eq(in_child(without_processes), 0);
    cr_expect_eq(asked_result(&asked, PATIENCE), -EBADF);
}
