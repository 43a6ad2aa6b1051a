/* Threads, signals and cancellation around a close that waits: each as without the library. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Under a filter, as all processes of a container are. */
#define PERMISSIVE                                                                                 \
    "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "build/programs/permissive"

TestSuite(threads, .init = world_begin, .fini = world_end, .timeout = 120);

static const uint64_t soon = 250 * (uint64_t)MS;

/* --- many at once --- */

enum { STORES = 4 };

/* The primary of a store beside the world's. */
static const char *store(int number)
{
    char name[64];
    snprintf(name, sizeof name, "../store-%d/chroma.sqlite3", number);
    return in_dir(name);
}

static void make_store(int number)
{
    char name[64];
    snprintf(name, sizeof name, "../store-%d", number);
    cr_assert_eq(mkdir(in_dir(name), 0755), 0);
    FILE *file = fopen(store(number), "we");
    cr_assert_not_null(file);
    fclose(file);
}

static struct process start_crowd(const char *rounds)
{
    for (int i = 0; i < STORES; i++)
        make_store(i);
    struct process p =
        SHIMMED("build/programs/crowd", rounds, store(0), store(1), store(2), store(3));
    await_line(&p, "open");
    cr_assert_eq(log_waits(), 0);
    return p;
}

static void expect_waits_for_each(unsigned count)
{
    for (int i = 0; i < STORES; i++) {
        char name[64];
        snprintf(name, sizeof name, "/store-%d/chroma.sqlite3 ", i);
        cr_expect_eq(log_count(name), count, "store %d: %u", i, log_count(name));
    }
    cr_expect_eq(log_waits(), STORES * count);
}

Test(threads, that_close_their_handles_at_once_wait_once_for_each_store)
{
    struct process p = start_crowd("25");
    send_line(&p, "close");
    await_line(&p, "closed 0");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    expect_waits_for_each(25);
}

Test(threads, that_wait_for_different_stores_wait_side_by_side)
{
    struct process holders[STORES];
    uint64_t released = 0;
    struct process p = start_crowd("1");
    for (int i = 0; i < STORES; i++)
        holders[i] = hold("posix", store(i), 400);
    send_line(&p, "close");
    uint64_t closed = await_line(&p, "closed 0");
    for (int i = 0; i < STORES; i++) {
        uint64_t at = released_at(&holders[i]);
        released = at > released ? at : released;
    }
    cr_expect_geq(closed, released);
    cr_expect_lt(closed, released + PROMPTLY);
    cr_expect_eq(finish(&p), 0);
    expect_waits_for_each(1);
    cr_expect_eq(log_count("File unlocked after polling"), STORES);
}

/* --- signal handlers --- */

/* Waits that no test is to see the end of by time. */
#define LONG "60"

/* programs/signals in the middle of its close, with the store held until the holder is told. */
struct scene {
    struct process p;
    struct process holder;
};

static void close_held(struct scene *s)
{
    s->holder = hold_until_told("posix", world.primary);
    send_line(&s->p, world.primary);
    await_threads(&s->p, 2);
}

/* other: a file for the action, or NULL. The log of opens would make threads, too. */
static struct scene begin_within(const char *max_wait, const char *action, const char *other)
{
    struct scene s = {.p = SHIMMED_WITH(OPTIONS("--log", "info", "--max-wait", max_wait),
                                        "build/programs/signals", action, other)};
    close_held(&s);
    return s;
}

static struct scene begin(const char *action, const char *other)
{
    return begin_within(LONG, action, other);
}

/* Sends a signal whose handler lets the close go on. */
static void interrupt(struct scene *s, int signal)
{
    cr_expect_eq(kill(s->p.pid, signal), 0);
    await_line(&s->p, "handled");
}

/* The close still waits, and returns right after the release. */
static void expect_closed_after_release(struct scene *s, const char *line)
{
    cr_expect(!says(&s->p, "closed", 100), "%s: while it is held", line);
    uint64_t released = let_go(&s->holder);
    uint64_t closed = await_line(&s->p, line);
    cr_expect_lt(closed, released + PROMPTLY, "%s", line);
}

/* The holder is of no more interest. */
static void dismiss(struct process *holder)
{
    kill(holder->pid, SIGKILL);
    finish(holder);
}

Test(threads, handle_signals_during_a_wait_and_the_wait_goes_on)
{
    static const char *const actions[] = {"count", "interrupt"};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        struct scene s = begin(actions[i], NULL);
        interrupt(&s, SIGUSR1);
        interrupt(&s, SIGALRM);
        interrupt(&s, SIGIO);
        interrupt(&s, SIGCHLD);
        expect_closed_after_release(&s, "closed 0 12345 4");
        cr_expect_eq(finish(&s.p), 0);
    }
}

Test(threads, wait_no_longer_for_the_time_that_a_signal_handler_takes)
{
    struct scene s = begin_within("1500ms", "linger", NULL);
    uint64_t began = now_ns();
    interrupt(&s, SIGUSR1); /* 400 ms */
    uint64_t took = await_line(&s.p, "closed 0 12345 1") - began;
    cr_expect_lt(took, 1500 * (uint64_t)MS + soon);
    cr_expect_eq(log_count("still locked after 1.5"), 1);
    dismiss(&s.holder);
    cr_expect_eq(finish(&s.p), 0);
}

Test(threads, close_other_files_in_a_signal_handler_at_once)
{
    struct scene s = begin("close", "/dev/null");
    interrupt(&s, SIGUSR1);
    await_line(&s.p, "done");
    expect_closed_after_release(&s, "closed 0 12345 1");
    cr_expect_eq(log_waits(), 1);
    cr_expect_eq(finish(&s.p), 0);
}

Test(threads, wait_for_another_store_in_a_signal_handler_too)
{
    make_store(0);
    struct process others_holder = hold_until_told("posix", store(0));
    struct scene s = begin("close", store(0));
    interrupt(&s, SIGUSR1);
    let_go(&s.holder);
    cr_expect(!says(&s.p, "done", 300), "while the other store is held");
    let_go(&others_holder);
    await_line(&s.p, "closed 0 12345 1");
    cr_expect_eq(log_count("File unlocked after polling"), 2);
    cr_expect_eq(finish(&s.p), 0);
}

Test(threads, may_use_the_store_in_a_signal_handler_that_interrupts_its_close)
{
    struct scene s = begin("reopen", NULL);
    interrupt(&s, SIGUSR1);
    expect_closed_after_release(&s, "closed 0 12345 1");
    cr_expect_eq(finish(&s.p), 0);
}

Test(threads, end_at_once_by__exit_in_a_signal_handler)
{
    struct scene s = begin("_exit", NULL);
    cr_expect_eq(kill(s.p.pid, SIGUSR1), 0);
    cr_expect_eq(finish(&s.p), 5); /* while it is held */
    let_go(&s.holder);
}

Test(threads, end_with_the_wait_by_exit_in_a_signal_handler)
{
    struct scene s = begin("exit", NULL);
    interrupt(&s, SIGUSR1);
    sleep_ms(100);
    cr_expect_eq(waitpid(s.p.pid, NULL, WNOHANG), 0, "it ends while the store is held");
    uint64_t released = let_go(&s.holder);
    cr_expect_eq(finish(&s.p), 6);
    cr_expect_lt(now_ns(), released + PROMPTLY);
}

Test(threads, end_by_exit_in_a_signal_handler_after_max_wait_at_the_latest)
{
    struct scene s = begin_within("1", "exit", NULL);
    uint64_t began = now_ns();
    cr_expect_eq(kill(s.p.pid, SIGUSR1), 0);
    cr_expect_eq(finish(&s.p), 6);
    cr_expect_lt(now_ns() - began, 1000 * (uint64_t)MS + soon);
    dismiss(&s.holder);
}

Test(threads, that_no_handler_catches_end_the_program_during_a_wait)
{
    static const int signals[] = {SIGALRM, SIGIO, SIGTERM, SIGKILL};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct scene s = begin("default", NULL);
        cr_expect_eq(kill(s.p.pid, signals[i]), 0);
        uint64_t began = now_ns();
        cr_expect_eq(finish(&s.p), 128 + signals[i]);
        cr_expect_lt(now_ns() - began, soon);
        dismiss(&s.holder);
    }
}

/* --- leaving a close by siglongjmp --- */

/* A wait that was left ends on its own, and with it its thread. */
static void await_alone(const struct process *p)
{
    for (int waited = 0; waited < 5000 && threads_of(p) > 1; waited++)
        sleep_ms(1);
    cr_assert_eq(threads_of(p), 1, "the wait that was left goes on");
}

/* Each close begins where the wait before it has gone: its thread would be taken for one of the new
 * close, and the signal come before that. */
Test(threads, that_leave_a_close_wait_in_their_later_ones)
{
    struct scene s = begin("leave", NULL);
    for (int i = 0; i < 3; i++) {
        interrupt(&s, SIGUSR1);
        await_line(&s.p, "left"); /* while it is held */
        let_go(&s.holder);
        await_alone(&s.p);
        close_held(&s);
    }
    expect_closed_after_release(&s, "closed 0 12345 3");
    cr_expect_eq(finish(&s.p), 0);
}

/* The first two stores are closed by one call, which waits for one after the other. */
Test(threads, that_leave_a_close_of_several_stores_wait_for_none_of_them_later)
{
    char both[2 * PATH_MAX];
    for (int i = 0; i < 3; i++)
        make_store(i);
    struct process p = SHIMMED_WITH(OPTIONS("--log", "info"), "build/programs/signals", "leave");
    struct process holders[] = {hold_until_told("posix", store(0)),
                                hold_until_told("posix", store(1))};
    cr_assert_lt(snprintf(both, sizeof both, "%s %s", store(0), store(1)), (int)sizeof both);
    send_line(&p, both);
    await_threads(&p, 2);
    cr_expect_eq(kill(p.pid, SIGUSR1), 0);
    await_line(&p, "left");
    uint64_t left = now_ns();
    snprintf(both, sizeof both, "%s %s", store(2), store(2));
    send_line(&p, both);
    uint64_t closed = await_line(&p, "closed 0 12345 1");
    cr_expect_lt(closed, left + PROMPTLY);
    dismiss(&holders[0]);
    dismiss(&holders[1]);
    cr_expect_eq(finish(&p), 0);
}

Test(threads, that_have_left_a_close_exit_when_its_wait_ends)
{
    struct scene s = begin_within("1", "leave", NULL);
    uint64_t began = now_ns();
    interrupt(&s, SIGUSR1);
    await_line(&s.p, "left");
    cr_expect_eq(finish(&s.p), 0);
    cr_expect_lt(now_ns() - began, (1000 + 100) * (uint64_t)MS + soon);
    dismiss(&s.holder);
}

static void expect_nothing_behind(struct process p)
{
    long left = await_number(&p, "left");
    cr_expect_gt(left, 900);
    cr_expect_eq(await_number(&p, "threads"), 1);
    cr_expect_eq(await_number(&p, "children"), 0);
    long pages = await_number(&p, "grown");
    cr_expect_lt(pages, left * 64, "%ld pages in %ld closes", pages, left);
    cr_expect_eq(finish(&p), 0);
}

Test(threads, that_leave_closes_leave_no_others_behind)
{
    make_store(0);
    struct process holder = hold_until_told("posix", world.primary);
    expect_nothing_behind(SHIMMED_WITH(OPTIONS("--max-wait", "20ms", "--log", "off"),
                                       "build/programs/leaver", world.primary, store(0), "1000"));
    dismiss(&holder);
}

Test(threads, that_leave_closes_under_a_filter_leave_no_children_behind)
{
    make_store(0);
    struct process holder = hold_until_told("posix", world.primary);
    expect_nothing_behind(SHIMMED_WITH(OPTIONS("--max-wait", "20ms", "--log", "off"), PERMISSIVE,
                                       "build/programs/leaver", world.primary, store(0), "1000"));
    dismiss(&holder);
}

/* --- stopping --- */

static void stop(pid_t pid)
{
    int status;
    cr_expect_eq(kill(pid, SIGSTOP), 0);
    cr_expect_eq(waitpid(pid, &status, WUNTRACED), pid);
    cr_expect(WIFSTOPPED(status));
}

Test(threads, stopped_during_a_wait_go_on_waiting)
{
    struct scene s = begin("count", NULL);
    stop(s.p.pid);
    sleep_ms(100);
    cr_expect_eq(kill(s.p.pid, SIGCONT), 0);
    expect_closed_after_release(&s, "closed 0 12345 0");
    cr_expect_eq(finish(&s.p), 0);
}

Test(threads, stopped_beyond_the_end_of_a_wait_return_when_they_continue)
{
    struct scene s = begin_within("1", "count", NULL);
    stop(s.p.pid);
    sleep_ms(1200);
    cr_expect_eq(kill(s.p.pid, SIGCONT), 0);
    uint64_t went_on = now_ns();
    uint64_t closed = await_line(&s.p, "closed 0 12345 0");
    cr_expect_lt(closed, went_on + PROMPTLY);
    cr_expect_eq(log_count("still locked after"), 1);
    dismiss(&s.holder);
    cr_expect_eq(finish(&s.p), 0);
}

/* --- other threads, during a wait --- */

static struct scene begin_meanwhile(const char *event)
{
    struct scene s = {.p = SHIMMED_WITH(OPTIONS("--log", "info", "--max-wait", LONG),
                                        "build/programs/meanwhile", event, world.primary)};
    await_line(&s.p, "open");
    s.holder = hold_until_told("posix", world.primary);
    send_line(&s.p, "close");
    await_threads(&s.p, 3);
    sleep_ms(50); /* by then the wait has looked which signals have handlers */
    send_line(&s.p, event);
    return s;
}

/* After whatever has happened to the thread. */
static void expect_later_close_waits(struct scene *s)
{
    struct process holder = hold("posix", world.primary, 300);
    send_line(&s->p, "again");
    uint64_t closed = await_line(&s->p, "again 0");
    cr_expect_geq(closed, released_at(&holder));
    await_alone(&s->p);
    send_line(&s->p, "end");
    cr_expect_eq(finish(&s->p), 0, "%s", errors_of(&s->p));
}

Test(threads, get_the_number_that_a_waiting_close_has_freed)
{
    struct scene s = begin_meanwhile("lowest");
    await_line(&s.p, "event 0"); /* while it is held */
    expect_closed_after_release(&s, "closed 0, not cancelled");
    expect_later_close_waits(&s);
}

Test(threads, cancelled_during_a_wait_return_from_the_close_first)
{
    struct scene s = begin_meanwhile("cancel");
    await_line(&s.p, "event 0");
    expect_closed_after_release(&s, "closed 0, cancelled");
    expect_later_close_waits(&s);
}

/* Where SIGINT could have interrupted the wait, too. */
Test(threads, cancelled_in_a_program_that_handles_sigint_return_from_the_close_first)
{
    struct scene s = begin_meanwhile("cancel-int");
    await_line(&s.p, "event 0");
    expect_closed_after_release(&s, "closed 0, cancelled");
    expect_later_close_waits(&s);
}

static void expect_nothing_left_behind(const char *how)
{
    struct process p = SHIMMED("build/programs/cancelled", how, world.primary);
    await_line(&p, "cancelled");
    await_line(&p, "lock: at once");
    cr_expect_eq(finish(&p), 0, "%s: %s", how, errors_of(&p));
}

Test(threads, cancelled_in_a_close_leave_nothing_that_a_lock_waits_for)
{
    expect_nothing_left_behind("close");
    expect_nothing_left_behind("fclose");
    expect_nothing_left_behind("reader");
}

/* libc has each thread set its own group, and interrupts it for that. */
Test(threads, interrupted_by_libc_itself_wait_on)
{
    struct scene s = begin_meanwhile("group");
    await_line(&s.p, "event 0");
    expect_closed_after_release(&s, "closed 0, not cancelled");
    expect_later_close_waits(&s);
}

Test(threads, interrupted_by_a_signal_that_was_not_handled_when_the_wait_began_wait_on)
{
    struct scene s = begin_meanwhile("handler");
    await_line(&s.p, "event 0");
    expect_closed_after_release(&s, "closed 0, not cancelled");
    expect_later_close_waits(&s);
}

Test(threads, that_may_be_cancelled_anywhere_end_at_once)
{
    struct scene s = begin_meanwhile("cancel-async");
    await_line(&s.p, "event 0");
    await_line(&s.p, "closed -2, cancelled"); /* while it is held */
    let_go(&s.holder);
    expect_later_close_waits(&s);
}

/* --- all that a program can see --- */

/* What programs/observer prints of its close. */
static void observe(struct process p, char *seen, size_t size)
{
    size_t length = 0;
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 400);
    send_line(&p, "close");
    seen[0] = '\0';
    while (length + 1 < size && fgets(seen + length, (int)(size - length), p.out) != NULL)
        length += strlen(seen + length);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    released_at(&holder);
}

static void cut_line(char *text, const char *beginning)
{
    char *line = strstr(text, beginning);
    cr_assert_not_null(line, "%s", text);
    char *end = strchr(line, '\n') + 1;
    memmove(line, end, strlen(end) + 1);
}

/* SIGINT and SIGTERM, which end a wait, are blocked while it lasts: a handler of another signal
 * sees that in its mask, and nothing else sees anything. */
static void expect_two_more_blocked(char *seen, char *expected)
{
    cr_expect_not_null(strstr(expected, "mask in the handler: 14\n"), "%s", expected);
    cr_expect_not_null(strstr(seen, "mask in the handler: 2 14 15\n"), "%s", seen);
    cut_line(expected, "mask in the handler");
    cut_line(seen, "mask in the handler");
}

Test(threads, see_nothing_of_a_wait_in_their_signals_children_and_descriptors)
{
    char expected[4096];
    char seen[4096];
    observe(PLAIN("build/programs/observer", world.primary), expected, sizeof expected);
    cr_assert_not_null(strstr(expected, "close: 0, errno 12345, "));
    observe(SHIMMED("build/programs/observer", world.primary), seen, sizeof seen);
    expect_two_more_blocked(seen, expected);
    cr_expect_str_eq(seen, expected);
    cr_expect_eq(log_count("File unlocked after polling"), 1);
}

/* Where the library makes a process of its own instead of a thread. In the middle of the close the
 * program could see it, if it asked for all kinds of children (__WALL, __WCLONE). */
Test(threads, see_nothing_of_a_wait_under_a_filter)
{
    char expected[4096];
    char seen[4096];
    observe(PLAIN(PERMISSIVE, "build/programs/observer", world.primary), expected, sizeof expected);
    observe(SHIMMED(PERMISSIVE, "build/programs/observer", world.primary), seen, sizeof seen);
    cut_line(expected, "children in the handler");
    cut_line(seen, "children in the handler");
    expect_two_more_blocked(seen, expected);
    cr_expect_str_eq(seen, expected);
    cr_expect_eq(log_count("File unlocked after polling"), 1);
}
