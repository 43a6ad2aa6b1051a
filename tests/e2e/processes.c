/* Children of every kind: none waits for its parent's store or changes what the library knows of
 * it. */
#include "e2e.h"
#include "host.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>

/* Under a filter, as all processes of a container are. */
#define PERMISSIVE                                                                                 \
    "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "build/programs/permissive"

TestSuite(processes, .init = world_begin, .fini = world_end, .timeout = 120);

/* For waits that no test is to see the end of by time; and without the threads that lines at debug
 * take. */
#define LONG_WAIT OPTIONS("--log", "info", "--max-wait", "60")

/* One step of programs/children, its result, and the number of waits that it brings. */
static void expect_step(struct process *p, const char *word, int result, unsigned waits)
{
    unsigned before = log_waits();
    send_line(p, word);
    cr_expect_eq(await_number(p, word), result, "%s", word);
    cr_expect_eq(log_waits() - before, waits, "%s: %u waits", word, log_waits() - before);
}

/* The parent has two handles; the child does as it is told and waits as often as given. Afterwards
 * the parent's first close is not its last, and its second is. */
static void expect_untouched(const char *way, const char *act, unsigned childs_waits)
{
    struct process p = SHIMMED("build/programs/children", way, act, world.primary);
    cr_log_info("%s, %s", way, act);
    await_line(&p, "open");
    expect_step(&p, "child", 0, childs_waits);
    expect_step(&p, "first", 0, 0);
    expect_step(&p, "second", 0, 1);
    cr_expect_eq(finish(&p), 0, "%s, %s: %s", way, act, errors_of(&p));
}

Test(processes, that_close_what_they_inherited_change_nothing)
{
    static const char *const ways[] = {"fork",     "raw-fork",  "double-fork", "vfork",
                                       "clone-vm", "fork-exec", "vfork-exec",  "spawn"};
    static const char *const acts[] = {"close", "close-all", "close-range", "closefrom", "dup2"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        for (size_t j = 0; j < sizeof acts / sizeof acts[0]; j++)
            expect_untouched(ways[i], acts[j], 0);
}

Test(processes, that_use_the_store_themselves_wait_for_it_and_change_nothing)
{
    static const char *const ways[] = {"fork",       "double-fork", "fork-exec",
                                       "vfork-exec", "spawn",       "spawn-closefrom"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        expect_untouched(ways[i], "open-close", 1);
}

/* Nothing tells such a child of fork apart from one of vfork. */
Test(processes, forked_past_libc_are_left_alone)
{
    expect_untouched("raw-fork", "open-close", 0);
}

Test(processes, that_end_with_the_store_open_change_nothing)
{
    static const char *const ways[] = {"fork", "vfork", "clone-vm", "vfork-exec"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        expect_untouched(ways[i], "open", 0);
}

Test(processes, that_share_the_memory_and_use_the_store_do_not_wait_and_change_nothing)
{
    static const char *const ways[] = {"vfork", "clone-vm", "clone-vm-files"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        expect_untouched(ways[i], "open-close", 0);
        /* nor where the parent has no handle, so that it could be taken for the last */
        struct process p = SHIMMED("build/programs/children", ways[i], "open-close", world.primary);
        await_line(&p, "open");
        expect_step(&p, "first", 0, 0);
        expect_step(&p, "second", 0, 1);
        expect_step(&p, "child", 0, 0);
        cr_expect_eq(finish(&p), 0);
    }
}

/* A child of vfork in a child of fork, whose tables are empty, does not take them for its own. */
Test(processes, of_fork_are_tracked_after_a_child_of_vfork_used_the_store)
{
    expect_untouched("fork", "vfork-open-close", 2);
}

Test(processes, of_fork_are_tracked_under_a_filter_too)
{
    struct process p =
        SHIMMED(PERMISSIVE, "build/programs/children", "fork", "vfork-open-close", world.primary);
    await_line(&p, "open");
    expect_step(&p, "child", 0, 2);
    expect_step(&p, "first", 0, 0);
    expect_step(&p, "second", 0, 1);
    cr_expect_eq(finish(&p), 0);
}

/* What is gone is gone: the numbers are those of other files next. */
Test(processes, that_share_the_descriptors_close_them_without_a_wait)
{
    static const char *const acts[] = {"close", "close-all", "close-range", "closefrom"};
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        struct process p =
            SHIMMED("build/programs/children", "clone-vm-files", acts[i], world.primary);
        await_line(&p, "open");
        expect_step(&p, "child", 0, 0);
        expect_step(&p, "first", EBADF, 0);
        expect_step(&p, "second", EBADF, 0);
        cr_expect_eq(finish(&p), 0);
    }
}

/* The child is done while the holder is there, the parent is not. */
Test(processes, do_not_wait_for_the_holder_of_their_parents_store)
{
    static const char *const ways[] = {"fork", "double-fork", "vfork", "clone-vm", "vfork-exec"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process p =
            SHIMMED_WITH(LONG_WAIT, "build/programs/children", ways[i], "close-all", world.primary);
        await_line(&p, "open");
        struct process holder = hold_until_told("posix", world.primary);
        send_line(&p, "child");
        await_line(&p, "child 0");
        send_line(&p, "first");
        await_line(&p, "first 0");
        send_line(&p, "second");
        cr_expect(!says(&p, "second", 200), "%s", ways[i]);
        let_go(&holder);
        await_line(&p, "second 0");
        cr_expect_eq(finish(&p), 0);
    }
}

/* CPython's subprocess makes its children by vfork, closes what they inherit, and runs exec. */
Test(processes, of_python_leave_its_store_alone)
{
    struct process p = SHIMMED("/usr/bin/python3", "-c",
                               "import os, subprocess, sys\n"
                               "fds = [os.open(sys.argv[1], os.O_RDWR) for i in range(2)]\n"
                               "for fd in fds: os.set_inheritable(fd, True)\n"
                               "subprocess.run(['true'], check=True)\n"
                               "subprocess.run(['true'], check=True, close_fds=False)\n"
                               "subprocess.run('true', check=True, shell=True, pass_fds=fds)\n"
                               "assert os.system('true') == 0\n"
                               "os.close(fds[0])\n"
                               "print('one left', flush=True)\n"
                               "sys.stdin.readline()\n"
                               "os.close(fds[1])\n"
                               "print('closed', flush=True)\n",
                               world.primary);
    await_line(&p, "one left");
    cr_expect_eq(log_waits(), 0);
    struct process holder = hold("posix", world.primary, 200);
    send_line(&p, "close");
    uint64_t closed = await_line(&p, "closed");
    cr_expect_geq(closed, released_at(&holder));
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* --- after a wait --- */

/* programs/alone, whose close waits long enough for a watch. */
static struct result alone_after(struct process p)
{
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 200);
    send_line(&p, "");
    struct result r = result_of(&p);
    cr_expect_geq(now_ns(), released_at(&holder));
    return r;
}

/* The kernel takes milliseconds to end the thread that has waited. */
Test(processes, have_no_thread_more_once_a_close_has_returned)
{
    static const char *const ways[] = {"fork", "unshare", "setns"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process p = PLAIN("build/programs/alone", ways[i], world.primary);
        await_line(&p, "open");
        send_line(&p, "");
        struct result without = result_of(&p);
        struct result with = alone_after(SHIMMED("build/programs/alone", ways[i], world.primary));
        cr_expect_str_eq(with.out, without.out, "%s", ways[i]);
        cr_expect_eq(with.status, 0);
    }
}

/* --- while a wait is running --- */

/* A thread of programs/meanwhile waits in its close, until the holder is told. */
static struct process start_wait(const char *event, struct process *holder)
{
    struct process p = SHIMMED_WITH(LONG_WAIT, "build/programs/meanwhile", event, world.primary);
    await_line(&p, "open");
    *holder = hold_until_told("posix", world.primary);
    send_line(&p, "close");
    await_threads(&p, 3);
    return p;
}

Test(processes, made_by_another_thread_do_not_wait_with_it)
{
    struct process holder;
    struct process p = start_wait("fork", &holder);
    send_line(&p, "fork");
    await_line(&p, "event 0");
    cr_expect(!says(&p, "closed", 200));
    let_go(&holder);
    await_line(&p, "closed 0, not cancelled");
    send_line(&p, "again");
    await_line(&p, "again 0");
    send_line(&p, "end");
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_count("File unlocked after polling"), 1);
}

Test(processes, made_by_another_thread_track_their_own_store)
{
    struct process holder;
    struct process p = start_wait("fork-open", &holder);
    send_line(&p, "fork");
    cr_expect(!says(&p, "event", 300));
    uint64_t released = let_go(&holder);
    cr_expect_lt(await_line(&p, "event 0"), released + PROMPTLY);
    await_line(&p, "closed 0, not cancelled");
    send_line(&p, "again");
    await_line(&p, "again 0");
    send_line(&p, "end");
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_count("File unlocked after polling"), 2, "the child's and the parent's");
}

Test(processes, that_replace_themselves_during_a_wait_begin_anew)
{
    static const char *const events[] = {"exec", "exec-aside"};
    for (unsigned i = 0; i < 2; i++) {
        struct process holder;
        struct process p = start_wait(events[i], &holder);
        send_line(&p, "exec");
        await_line(&p, "again"); /* while it is held */
        cr_expect(!says(&p, "closed", 300), "%s: the new program's own close waits", events[i]);
        let_go(&holder);
        await_line(&p, "closed 0");
        cr_expect_eq(finish(&p), 0);
        cr_expect_eq(log_count("File unlocked after polling"), i + 1, "%s", events[i]);
    }
}

/* The signal comes at any moment of the opens and closes. */
Test(processes, made_by_a_signal_handler_anywhere_neither_wait_nor_crash)
{
    struct process holder = hold("posix", world.primary, 20000);
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "5ms", "--log", "off"),
                                    "build/programs/forker", world.primary, "250");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    kill(holder.pid, SIGKILL);
    finish(&holder);
}

/* programs/signals, whose handler forks, in the middle of its close. */
static struct process fork_in_handler(struct process *holder)
{
    struct process p = SHIMMED_WITH(LONG_WAIT, "build/programs/signals", "fork");
    *holder = hold_until_told("posix", world.primary);
    send_line(&p, world.primary);
    await_threads(&p, 2);
    cr_expect_eq(kill(p.pid, SIGUSR1), 0);
    return p;
}

/* The child returns into a copy of the close that its parent is in. */
Test(processes, made_by_a_signal_handler_during_a_wait_return_at_once)
{
    struct process holder;
    struct process p = fork_in_handler(&holder);
    await_line(&p, "child 0 12345 1"); /* while it is held */
    const struct process child = first_child(&p);
    await_threads(&child, 2);
    cr_expect(!says(&p, "child again", 200), "it waits in its own close");
    let_go(&holder);
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_count("File unlocked after polling"), 2, "the child's own and the parent's");
}

Test(processes, made_by_a_signal_handler_during_a_wait_end_without_delay)
{
    struct process holder;
    struct process p = fork_in_handler(&holder);
    cr_expect(!says(&p, "child again", 300), "its own close waits");
    let_go(&holder);
    uint64_t closed = await_line(&p, "child again");
    uint64_t ended = await_line(&p, "ended 7");
    cr_expect_lt(ended, closed + PROMPTLY);
    cr_expect_eq(finish(&p), 0);
}

/* What a signal has interrupted goes on in the child, too, with books that the kernel has emptied.
 */
static void expect_ends_of_children(const char *const *options, const char *call, const char *pause)
{
    int children = 0, lost = -1, slow = -1;
    char line[100] = "";
    struct process p = SHIMMED_WITH(options, "build/programs/forking", world.dir, call, pause);
    cr_expect(read_line(&p, line, sizeof line));
    sscanf(line, "%d children, %d lost, %d slow", &children, &lost, &slow);
    cr_expect_gt(children, 10, "%s: %s", call, line);
    cr_expect_eq(lost, 0, "%s: %s", call, line);
    cr_expect_leq(slow, children / 10, "%s: %s", call, line);
    cr_expect_eq(finish(&p), 0, "%s: %s", call, errors_of(&p));
}

/* With a log and a record there is more that reads them. */
Test(processes, made_by_a_signal_handler_at_any_step_of_a_call_end_without_delay)
{
    static const char *const calls[] = {"close", "close-foreign", "read", "list"};
    char record[PATH_MAX + 8];
    snprintf(record, sizeof record, "%s.record", world.log);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        expect_ends_of_children(OPTIONS("--log", "off"), calls[i], "131");
        expect_ends_of_children(OPTIONS("--record", record), calls[i], "1009");
    }
}
