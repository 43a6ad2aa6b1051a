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
