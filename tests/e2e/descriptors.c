/* Every way a handle goes away or multiplies, beside those in handles.c: what the program sees of
 * it does not change, and the count of its handles stays right. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(descriptors, .init = world_begin, .fini = world_end, .timeout = 120);

static const uint64_t soon = 250 * (uint64_t)MS;

/* A stepper with the store open as `a`, and another file as `o`. */
static struct process start(void)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "open a -", world.primary);
    step(&p, "open o - /dev/null");
    return p;
}

static void end(struct process *p)
{
    cr_expect_eq(finish(p), 0, "%s", errors_of(p));
}

/* The command closes the last handle: it waits for a holder of the store, and once. */
static void expect_wait(struct process *p, const char *command)
{
    unsigned before = log_waits();
    struct process holder = hold("posix", world.primary, 200);
    step(p, command);
    uint64_t returned = now_ns();
    cr_expect_geq(returned, released_at(&holder), "%s", command);
    cr_expect_eq(log_waits(), before + 1, "%s", command);
}

static void expect_no_wait(struct process *p, const char *command)
{
    unsigned before = log_waits();
    step(p, command);
    cr_expect_eq(log_waits(), before, "%s", command);
}

/* --- copies --- */

Test(descriptors, copied_by_any_call_are_handles)
{
    static const struct {
        const char *copy, *close;
    } ways[] = {{"dupfrom a b 50", "close b"},   {"dup2 a o", "close o"},
                {"dup3 a o 524288", "close o"}, /* O_CLOEXEC */
                {"pass a b recvmsg", "close b"}, {"pass a b recvmmsg", "close b"},
                {"pass a b peek", "close b"}};
    cr_assert_eq(O_CLOEXEC, 524288);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process p = start();
        cr_expect_geq(step(&p, ways[i].copy).result, 0, "%s", ways[i].copy);
        expect_no_wait(&p, "close a");
        expect_wait(&p, ways[i].close);
        end(&p);
    }
}

Test(descriptors, replaced_by_dup3_are_closed)
{
    struct process p = start();
    expect_wait(&p, "dup3 o a 0");
    expect_no_wait(&p, "close a");
    end(&p);
}

Test(descriptors, replaced_by_a_copy_of_the_same_store_leave_it_open)
{
    struct process p = start();
    say(&p, "open b -", world.primary);
    expect_no_wait(&p, "dup2 a b");
    expect_no_wait(&p, "close a");
    expect_wait(&p, "close b");
    end(&p);
}

Test(descriptors, that_a_call_refuses_to_copy_or_close_stay_handles)
{
    static const char *const refused[] = {
        "dup2 a a",         "dup3 a a 0",        "dup3 o a 1",         "dupfrom a b 999999999",
        "closerange o a 0", "closerange a o 64", "fdopen a - nonsense"};
    struct process p = start();
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        expect_no_wait(&p, refused[i]);
    expect_wait(&p, "close a");
    end(&p);
}

/* --- ranges --- */

Test(descriptors, marked_close_on_exec_by_close_range_stay_handles)
{
    static const char *const marks[] = {"closeup a - 4", "closeup a - 6"}; /* alone, with UNSHARE */
    cr_assert_eq(CLOSE_RANGE_CLOEXEC, 4);
    cr_assert_eq(CLOSE_RANGE_UNSHARE, 2);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        struct process p = start();
        cr_expect_eq(step(&p, marks[i]).result, 0);
        cr_expect_eq(log_waits(), i);
        step(&p, "dup a b");
        expect_no_wait(&p, "close a");
        step(&p, "close b");
        cr_expect_eq(log_waits(), i + 1);
        end(&p);
    }
}

Test(descriptors, closed_by_a_range_are_waited_for)
{
    static const char *const closes[] = {"closeup a - 0", "closeup a - 2", "rawcloserange a o 0",
                                         "rawcloserange a a 2"};
    for (size_t i = 0; i < sizeof closes / sizeof closes[0]; i++) {
        struct process p = start();
        expect_wait(&p, closes[i]);
        cr_expect_eq(step(&p, "close a").error, EBADF, "%s", closes[i]);
        end(&p);
    }
}

/* The thread that waited may need a moment more to end: this process still has one of its own. */
Test(descriptors, closed_by_a_range_right_after_a_wait_are_waited_for)
{
    struct process p = start();
    expect_wait(&p, "close a");
    for (int i = 0; i < 5; i++) {
        say(&p, "open a -", world.primary);
        expect_wait(&p, "closeup a - 2");
        step(&p, "open o - /dev/null");
    }
    end(&p);
}

Test(descriptors, of_several_stores_that_a_range_closes_are_waited_for_once_each)
{
    cr_assert_eq(mkdir(in_dir("../second"), 0755), 0);
    struct process p = start();
    say(&p, "open b -", in_dir("../second/chroma.sqlite3"));
    say(&p, "open c -", world.primary);
    cr_expect_eq(step(&p, "closeup a - 0").result, 0);
    cr_expect_eq(log_count("store/chroma.sqlite3 probes=1"), 1);
    cr_expect_eq(log_count("second/chroma.sqlite3 probes=1"), 1);
    end(&p);
}

Test(descriptors, below_those_that_closefrom_closes_stay_handles)
{
    struct process p = start();
    say(&p, "open b -", world.primary);
    expect_no_wait(&p, "closefrom b");
    expect_wait(&p, "close a");
    end(&p);
}

static const char *const unshares[][2] = {{"self", "2"}, {"self", "6"}, {"0", "6"}};

Test(descriptors, of_other_threads_survive_a_thread_that_leaves_the_table)
{
    for (size_t i = 0; i < sizeof unshares / sizeof unshares[0]; i++) {
        struct process p =
            SHIMMED("build/programs/unshare", unshares[i][0], unshares[i][1], world.primary);
        unsigned before = log_waits();
        await_line(&p, "open");
        send_line(&p, "range");
        await_line(&p, "range 0");
        send_line(&p, "thread");
        await_line(&p, "thread 0");
        cr_expect_eq(log_waits(), before, "flags %s", unshares[i][1]);
        send_line(&p, "child");
        await_line(&p, "child 0");
        cr_expect_eq(log_waits(), before + 1, "a child of the thread has one table again");
        struct process holder = hold("posix", world.primary, 200);
        send_line(&p, "close");
        uint64_t closed = await_line(&p, "closed 0");
        cr_expect_geq(closed, released_at(&holder), "flags %s", unshares[i][1]);
        end(&p);
    }
}

Test(descriptors, of_a_thread_that_fails_to_leave_the_table_are_tracked)
{
    struct process p = SHIMMED("build/programs/unshare", "1000", "2", world.primary);
    await_line(&p, "open");
    send_line(&p, "range");
    await_line(&p, "range 22"); /* EINVAL: the first is above the last */
    send_line(&p, "thread");
    await_line(&p, "thread 0");
    cr_expect_eq(log_count("opened as primary"), 2, "the thread's is one");
    cr_expect_eq(log_waits(), 0, "main has another");
    send_line(&p, "child");
    await_line(&p, "child 0");
    send_line(&p, "close");
    await_line(&p, "closed 0");
    cr_expect_eq(log_waits(), 2);
    end(&p);
}

/* --- streams --- */

Test(descriptors, of_a_stream_whose_freopen_fails_are_closed)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "fopen a -", world.primary);
    expect_wait(&p, "freopen a - /nonexistent/file");
    end(&p);
}

/* libc may do it by opening the file again. */
Test(descriptors, of_a_stream_whose_mode_changes_stay_handles)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "fopen a -", world.primary);
    struct process holder = hold("posix", world.primary, 400);
    struct step changed = step(&p, "freopen a");
    cr_expect_eq(changed.result, 0);
    cr_expect_eq(log_count("File unlocked after polling"), 0);
    step(&p, "fclose a");
    uint64_t closed = now_ns();
    cr_expect_geq(closed, released_at(&holder));
    end(&p);
}

Test(descriptors, of_a_stream_reopened_on_the_store_are_handles)
{
    struct process p = SHIMMED("build/programs/stepper");
    step(&p, "fopen a - /dev/null");
    say(&p, "freopen a -", world.primary);
    expect_wait(&p, "fclose a");
    end(&p);
}

/* It flushes the streams and closes no descriptor in glibc. */
Test(descriptors, survive_fcloseall)
{
    struct process p = start();
    expect_no_wait(&p, "fcloseall");
    expect_wait(&p, "close a");
    end(&p);
}

Test(descriptors, closed_unseen_are_noticed_by_fcloseall)
{
    struct process p = start();
    say(&p, "open b -", world.primary);
    step(&p, "hiddenclose a");
    expect_no_wait(&p, "fcloseall");
    expect_wait(&p, "close b");
    end(&p);
}

/* --- from elsewhere --- */

/* The store as `a` and a copy that is closed on exec, as 100. */
Test(descriptors, over_an_exec_are_nobodys_handles)
{
    char adopt[32];
    struct process p = SHIMMED("build/programs/stepper");
    long number = say(&p, "open a -", world.primary).result;
    step(&p, "dupfd a b");
    cr_expect_eq(step(&p, "again").result, 0);
    cr_expect_eq(log_waits(), 0);
    step(&p, "adopt b - 100");
    cr_expect_eq(step(&p, "close b").error, EBADF, "it was closed on exec");
    snprintf(adopt, sizeof adopt, "adopt a - %ld", number);
    step(&p, adopt);
    say(&p, "open b -", world.primary);
    expect_wait(&p, "close b");
    expect_no_wait(&p, "close a");
    end(&p);
}

/* A program that is started with the store open as 9. */
static struct process start_with_heirloom(void)
{
    struct process p =
        SHIMMED("/bin/sh", "-c", "exec 9<>\"$0\"; exec build/programs/stepper", world.primary);
    step(&p, "adopt a - 9");
    return p;
}

Test(descriptors, inherited_at_start_do_not_wait)
{
    static const char *const closes[] = {"close a", "rawclose a", "closefrom a", "closeup a - 0"};
    for (size_t i = 0; i < sizeof closes / sizeof closes[0]; i++) {
        struct process p = start_with_heirloom();
        step(&p, "dup a b"); /* nor does a copy */
        expect_no_wait(&p, closes[i]);
        cr_expect_eq(step(&p, "close a").error, EBADF, "%s", closes[i]);
        expect_no_wait(&p, "close b");
        end(&p);
    }
}

Test(descriptors, inherited_at_start_are_handles_as_streams)
{
    struct process p = start_with_heirloom();
    cr_expect_eq(step(&p, "fdopen a").result, 0);
    expect_wait(&p, "fclose a");
    end(&p);
}

Test(descriptors, received_over_a_socket_are_handles)
{
    static const char *const ways[] = {"pass a b recvmsg", "pass a b recvmmsg", "pass a b peek"};
    struct process p = SHIMMED("build/programs/stepper");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        say(&p, "hiddenopen a -", world.primary); /* the sender's own does not count here */
        cr_expect_geq(step(&p, ways[i]).result, 0);
        step(&p, "hiddenclose a");
        expect_wait(&p, "close b");
    }
    end(&p);
}

Test(descriptors, several_in_a_message_of_another_process_are_handles)
{
    struct process p = SHIMMED("/usr/bin/python3", "-c",
                               "import os, socket, sys\n"
                               "here, there = socket.socketpair()\n"
                               "child = os.fork()\n"
                               "if child == 0:\n"
                               "    fds = [os.open(sys.argv[1], os.O_RDWR) for i in range(3)]\n"
                               "    socket.send_fds(there, [b'x'], fds)\n"
                               "    os._exit(0)\n"
                               "os.waitpid(child, 0)\n"
                               "fds = socket.recv_fds(here, 1, 3)[1]\n"
                               "for fd in fds[:2]: os.close(fd)\n"
                               "print('one left', flush=True)\n"
                               "sys.stdin.readline()\n"
                               "os.close(fds[2])\n"
                               "print('closed', flush=True)\n",
                               world.primary);
    await_line(&p, "one left");
    cr_expect_eq(log_waits(), 0);
    struct process holder = hold("posix", world.primary, 200);
    send_line(&p, "close");
    uint64_t closed = await_line(&p, "closed");
    cr_expect_geq(closed, released_at(&holder));
    end(&p);
}

/* --- kinds of files and functions --- */

Test(descriptors, without_a_name_are_no_handles)
{
    struct process p = SHIMMED_WITH(OPTIONS("--stores", "chroma:sqlite", "--dir", world.dir),
                                    "build/programs/stepper");
    cr_expect_geq(say(&p, "tmpfile a -", world.dir).result, 0);
    cr_expect_eq(step(&p, "mode a").result, 0640, "the mode went through");
    expect_no_wait(&p, "close a");
    cr_expect_eq(log_count("warning: "), 0);
    end(&p);
}

static bool imports(const char *program, const char *symbol)
{
    char command[256];
    snprintf(command, sizeof command, "readelf -W --dyn-syms '%s' | grep -q ' %s@'", program,
             symbol);
    return system(command) == 0;
}

Test(descriptors, opened_by_fortified_functions_are_handles)
{
    static const char *const functions[] = {"__open_2", "__open64_2", "__openat_2", "__openat64_2"};
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        cr_assert(imports("build/programs/fortified", functions[i]), "%s", functions[i]);
    struct process p = SHIMMED("build/programs/fortified", world.primary);
    await_line(&p, "open");
    cr_expect_eq(log_count("opened as primary"), 4);
    cr_expect_eq(log_waits(), 0);
    send_line(&p, "close");
    end(&p);
    cr_expect_eq(log_waits(), 1);
}

Test(descriptors, that_fortified_functions_refuse_to_create_abort_the_program_as_ever)
{
    struct process p = SHIMMED("build/programs/fortified", world.primary, "abort");
    cr_expect_eq(finish(&p), 128 + SIGABRT);
}

/* --- numbers --- */

Test(descriptors, of_the_highest_number_are_handles)
{
    enum { TOP = 1048575 };
    char copy[48];
    struct process p = start();
    long highest = step(&p, "limit").result;
    if (highest < TOP)
        fprintf(stderr, "the limit here is %ld: a descriptor near %d is not shown\n", highest, TOP);
    cr_assert_gt(highest, 1000);
    snprintf(copy, sizeof copy, "dupfrom a b %ld", highest);
    cr_expect_eq(step(&p, copy).result, highest);
    expect_no_wait(&p, "close a");
    expect_wait(&p, "close b");

    say(&p, "open a -", world.primary);
    cr_expect_eq(step(&p, copy).result, highest);
    expect_no_wait(&p, "close a");
    struct step all = step(&p, "closeup a - 0");
    cr_expect_eq(log_count("chroma.sqlite3 probes=1 sleeps=0"), 1);
    cr_expect_lt(all.took, soon, "a look through the whole table is quick");
    end(&p);
}

/* The kernel gives no number above fs.nr_open, whose default is the end of the library's table: so
 * the numbers are made up here. */
Test(descriptors, above_the_table_are_passed_through)
{
    static const char *const numbers[] = {"1048576", "2147483647"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char inject[64];
        snprintf(inject, sizeof inject, "inject=dup:retval=%s", numbers[i]);
        struct process p = SHIMMED("strace", "-f", "-o", "/dev/null", "-e", "trace=dup", "-e",
                                   inject, "build/programs/stepper");
        say(&p, "open a -", world.primary);
        cr_expect_eq(step(&p, "dup a b").result, atol(numbers[i]));
        expect_no_wait(&p, "close b");
        cr_expect_eq(step(&p, "close b").error, EBADF);
        expect_no_wait(&p, "dup3 b o 0");
        expect_no_wait(&p, "closeup b - 0");
        expect_wait(&p, "close a");
        end(&p);
    }
}

/* --- closes that go by unseen --- */

/* The number of the store's handle, closed past every hook, is used again by each of these. */
Test(descriptors, whose_number_is_used_again_do_not_wait)
{
    static const char *const reuses[] = {
        "dup o a",          "dupfrom o a 0",         "dup2 o a",
        "dup3 o a 0",       "fopen a - /dev/null",   "creat a - /dev/null",
        "opendir a - /tmp", "nonblock a - /dev/null"};
    struct process p = SHIMMED("build/programs/stepper");
    step(&p, "open o - /dev/null");
    for (size_t i = 0; i < sizeof reuses / sizeof reuses[0]; i++) {
        long number = say(&p, "open a -", world.primary).result;
        step(&p, "hiddenclose a");
        cr_expect_eq(step(&p, reuses[i]).result, number, "%s", reuses[i]);
        cr_expect_eq(step(&p, "close a").result, 0, "%s", reuses[i]);
        cr_expect_eq(log_waits(), i, "%s", reuses[i]);
        say(&p, "open a -", world.primary);
        step(&p, "close a");
        cr_expect_eq(log_waits(), i + 1, "the count of handles is right again");
    }
    end(&p);
}

Test(descriptors, closed_unseen_and_once_more_do_not_wait)
{
    static const char *const closes[] = {"close a",       "rawclose a",    "closerange a a",
                                         "closefrom a",   "dup2 o a",      "rawcloserange a a 0",
                                         "closeup a - 2", "sharercloses a"};
    for (size_t i = 0; i < sizeof closes / sizeof closes[0]; i++) {
        struct process p = start();
        step(&p, "hiddenclose a");
        expect_no_wait(&p, closes[i]);
        end(&p);
    }
}

Test(descriptors, closed_by_a_child_with_the_same_table_do_not_wait)
{
    struct process p = start();
    cr_expect_eq(step(&p, "sharercloses a").result, 0);
    cr_expect_eq(log_waits(), 0, "it is not the child's");
    step(&p, "open b - /dev/null"); /* gets the number */
    expect_no_wait(&p, "close b");
    say(&p, "open a -", world.primary);
    expect_wait(&p, "close a");
    end(&p);
}

Test(descriptors, closed_by_io_uring_do_not_wait)
{
    struct process p = SHIMMED("build/programs/uring", world.primary);
    int status = finish(&p);
    if (status == 77) {
        fprintf(stderr, "SKIPPED: no io_uring here\n");
        return;
    }
    cr_expect_eq(status, 0);
    cr_expect_eq(log_count("opened as primary"), 1);
    cr_expect_eq(log_waits(), 0);
}

/* --- results --- */

/* Results and errno, good and bad, are those of the same program without the library. */
Test(descriptors, give_the_results_and_errno_that_they_gave_before)
{
    static const char *const commands[] = {"adopt x - -1",
                                           "open a - P",
                                           "open b - P",
                                           "open c - /nonexistent/chroma.sqlite3",
                                           "dup a d",
                                           "dup x y",
                                           "dup2 a d",
                                           "dup2 a a",
                                           "dup2 b x",
                                           "dup3 a a 0",
                                           "dup3 a d 0",
                                           "dup3 a d 1",
                                           "dupfrom a e 60",
                                           "dupfrom a f -1",
                                           "dupfrom a f 999999999",
                                           "dupfd a f",
                                           "closerange b a 0",
                                           "closerange f f 64",
                                           "rawcloserange b a 0",
                                           "rawcloserange f f 64",
                                           "closerange f f 4",
                                           "closerange f f 0",
                                           "close f",
                                           "closerange e e 2",
                                           "rawclose e",
                                           "rawclose d",
                                           "fdopen a - nonsense",
                                           "fdopen a",
                                           "freopen a",
                                           "lowest",
                                           "freopen a - /nonexistent/chroma.sqlite3",
                                           "close a",
                                           "fopen a - P",
                                           "fcloseall",
                                           "close a",
                                           "close a",
                                           "pass b g recvmsg",
                                           "pass b h recvmmsg",
                                           "pass b i peek",
                                           "pass a j recvmsg",
                                           "close g",
                                           "close h",
                                           "close i",
                                           "badclose",
                                           "creat k - P",
                                           "opendir l - D",
                                           "creat l - D",
                                           "tmpfile m - D",
                                           "nonblock n - P",
                                           "fopen a - D",
                                           "hiddenclose b",
                                           "close b",
                                           "lowest",
                                           "closeup k - 0",
                                           "lowest",
                                           "closefrom k",
                                           "lowest"};
    struct process plain = PLAIN("build/programs/stepper");
    struct process shimmed = SHIMMED("build/programs/stepper");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char command[PATH_MAX + 32];
        size_t length = strlen(commands[i]);
        char last = commands[i][length - 1];
        const char *path = last == 'P' ? world.primary : last == 'D' ? world.dir : "";
        snprintf(command, sizeof command, "%.*s%s", (int)(length - (path[0] != '\0')), commands[i],
                 path);
        struct step expected = step(&plain, command);
        struct step got = step(&shimmed, command);
        cr_expect_eq(got.result, expected.result, "%s: %ld instead of %ld", commands[i], got.result,
                     expected.result);
        cr_expect_eq(got.error, expected.error, "%s: errno %d instead of %d", commands[i],
                     got.error, expected.error);
    }
    cr_expect_eq(finish(&plain), 0);
    end(&shimmed);
    cr_expect_gt(log_waits(), 0);
}
