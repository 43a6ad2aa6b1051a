/* System calls that wait for an answer of the supervisor: taken, handed over, answered, and let go
 * on when who had them has ended. */
#include "supervise/slots.h"

#include "asked.h"

#include <sys/stat.h>

TestSuite(slots, .init = asked_set_up, .fini = asked_tear_down, .timeout = 60);

Test(slots, a_call_waits_until_it_is_let_go_on_and_is_the_kernels_then)
{
    const int slot = receive_a_close();
    cr_expect_eq(slots_get(slot)->pid, (unsigned)asked.pid);
    cr_expect_eq(slots_get(slot)->data.nr, SYS_close);
    cr_expect_eq(slots_get(slot)->data.args[0], 777u);
    cr_expect(slots_waits(slot));
    cr_expect_eq(asked_result(&asked, A_MOMENT), NO_RESULT);
    slots_continue(slot);
    cr_expect_eq(asked_result(&asked, PATIENCE), -EBADF);
    cr_expect_not(slots_waits(slot));
}

Test(slots, other_calls_are_not_asked_about)
{
    struct pollfd listener = {slots_listener(), POLLIN, 0};
    asked_call(&asked, SYS_getppid, 0, 0, 0);
    cr_expect_eq(asked_result(&asked, PATIENCE), getpid());
    cr_expect_eq(poll(&listener, 1, 0), 0);
}

Test(slots, a_call_whose_thread_was_killed_waits_no_more)
{
    const int slot = receive_a_close();
    asked_end(&asked);
    cr_expect_not(slots_waits(slot));
    slots_continue(slot);
    asked = asked_begin(); /* for the end of the test */
}

Test(slots, another_process_may_have_it_and_the_first_can_receive_again)
{
    const pid_t other = another_process();
    const int slot = slots_hand_over(receive_a_close(), other);
    cr_assert_gt(slot, 0);
    cr_expect_eq(slots_get(slot)->data.args[0], 777u);
    cr_expect_geq(slots_hand_over(0, other), 0, "there is room for another one");
    slots_continue(slot);
    cr_expect_eq(asked_result(&asked, PATIENCE), -EBADF);
    slots_continue(receive_a_close());
    cr_expect_eq(asked_result(&asked, PATIENCE), -EBADF);
    kill(other, SIGKILL);
}

/* Not even waited for by its parent: as where that is a process which knows nothing of it. */
Test(slots, what_a_process_has_left_that_ended_goes_on)
{
    const pid_t other = another_process();
    siginfo_t info;
    slots_hand_over(receive_a_close(), other);
    cr_expect(slots_continue_lost(), "it is there");
    cr_expect_eq(asked_result(&asked, A_MOMENT), NO_RESULT);
    kill(other, SIGKILL);
    cr_assert_eq(waitid(P_PID, (id_t)other, &info, WEXITED | WNOWAIT), 0);
    cr_expect_not(slots_continue_lost());
    cr_expect_eq(asked_result(&asked, PATIENCE), -EBADF);
}

Test(slots, a_process_that_is_gone_altogether_is_told_from_one_that_is_there)
{
    const pid_t gone = another_process();
    kill(gone, SIGKILL);
    waitpid(gone, NULL, 0);
    slots_hand_over(receive_a_close(), gone);
    cr_expect_not(slots_continue_lost());
    cr_expect_eq(asked_result(&asked, PATIENCE), -EBADF);
}

Test(slots, ones_own_are_not_lost)
{
    const int slot = receive_a_close();
    cr_expect_not(slots_continue_lost(), "it is no other's");
    cr_expect_eq(asked_result(&asked, A_MOMENT), NO_RESULT);
    slots_continue(slot);
    cr_expect_eq(asked_result(&asked, PATIENCE), -EBADF);
}

Test(slots, there_is_an_end_to_them)
{
    const pid_t other = another_process();
    unsigned taken = 0;
    while (slots_hand_over(0, other) >= 0 && taken < 100000)
        taken++;
    cr_expect_gt(taken, 500u);
    cr_expect_lt(taken, 100000u);
    kill(other, SIGKILL);
    cr_assert_eq(waitpid(other, NULL, 0), other);
    cr_expect_not(slots_continue_lost());
    cr_expect_geq(slots_hand_over(0, other), 0, "they are free again");
}

Test(slots, a_dead_descriptor_takes_the_place_of_one_of_its)
{
    char path[64];
    struct stat st;
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    asked_end(&asked);
    asked = asked_begin(); /* with the pipe */
    cr_assert(slots_start(asked.listener));
    close(ends[1]);
    asked_call(&asked, SYS_close, ends[1], 0, 0);
    const int slot = slots_receive();
    struct pollfd end = {ends[0], POLLIN, 0};
    cr_expect_eq(poll(&end, 1, 0), 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    cr_expect(slots_replace(slot, ends[1], null));
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)asked.pid, ends[1]);
    cr_expect_eq(stat(path, &st), 0);
    cr_expect(S_ISCHR(st.st_mode));
    slots_continue(slot);
    cr_expect_eq(asked_result(&asked, PATIENCE), 0, "what it closes then is the dead one");
    cr_expect_eq(poll(&end, 1, PATIENCE), 1);
    cr_expect((end.revents & POLLHUP) != 0, "nobody has its own any more");
    close(null);
}
