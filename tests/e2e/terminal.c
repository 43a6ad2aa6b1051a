/* settle-wait on a terminal: the line that shows how it goes, and signals. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(terminal, .init = world_begin, .fini = world_end, .timeout = 120);

static char screen[1 << 16]; /* all that was written to it */
static size_t screen_length;
static int terminal;

static pid_t run_on_terminal(const char *const *command, unsigned short columns)
{
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    pid_t pid = forkpty(&terminal, NULL, NULL, &size);
    if (pid == 0) {
        execv(command[0], (char *const *)(uintptr_t)command);
        _exit(127);
    }
    screen_length = 0;
    screen[0] = '\0';
    return pid;
}

static pid_t start_on_terminal(const char *max_wait, unsigned short columns)
{
    const char *const command[] = {"build/settle-wait", "--max-wait", max_wait, world.dir, NULL};
    return run_on_terminal(command, columns);
}

/* Reads until the screen has the text, or for a time. False at the program's end. */
static bool await_on_screen(const char *text)
{
    struct pollfd entry = {.fd = terminal, .events = POLLIN};
    while (text == NULL || strstr(screen, text) == NULL) {
        ssize_t got = -1;
        if (poll(&entry, 1, 20000) > 0)
            got = read(terminal, screen + screen_length, sizeof screen - 1 - screen_length);
        if (got <= 0)
            return false;
        screen_length += (size_t)got;
        screen[screen_length] = '\0';
    }
    return true;
}

static int end_of(pid_t pid)
{
    int status = 0;
    await_on_screen(NULL);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    close(terminal);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool ends_erased(void)
{
    static const char erased[] = "\r\033[K";
    return screen_length >= 4 && memcmp(screen + screen_length - 4, erased, 4) == 0;
}

Test(terminal, shows_what_is_waited_for_by_whom_it_is_held_and_the_time_left)
{
    char expected[PATH_MAX + 128];
    struct process holder = hold_until_told("posix", world.primary);
    pid_t pid = start_on_terminal("20", 300);
    snprintf(expected, sizeof expected, " s left, held by holder (pid %d), POSIX write lock: %s",
             (int)holder.pid, world.dir);
    cr_expect(await_on_screen(expected), "no '%s' in %s", expected, screen);
    let_go(&holder);
    cr_expect_eq(end_of(pid), 0);
    cr_expect(ends_erased(), "the line is gone");
}

Test(terminal, the_line_fits_the_width)
{
    struct process holder = hold_until_told("posix", world.primary);
    pid_t pid = start_on_terminal("20", 60);
    cr_expect(await_on_screen(" s left, held by"), "%s", screen);
    let_go(&holder);
    end_of(pid);
    for (const char *line = strtok(screen, "\r"); line != NULL; line = strtok(NULL, "\r"))
        cr_expect_leq(strlen(line), strlen("\033[K") + 59, "'%s'", line);
}

/* With the longest name that a process has. */
Test(terminal, a_narrow_one_is_told_who_holds_it)
{
    static const char longest[] = "fifteen-letters";
    char copy[PATH_MAX + 32];
    char expected[64];
    snprintf(copy, sizeof copy, "%s/../%s", world.dir, longest);
    struct process copied = PLAIN("cp", "build/programs/holder", copy);
    cr_assert_eq(finish(&copied), 0);
    struct process holder = PLAIN(copy, "posix", world.primary, "-");
    await_line(&holder, "held");
    pid_t pid = start_on_terminal("100", 40);
    snprintf(expected, sizeof expected, " s left, held by %s", longest);
    cr_expect(await_on_screen(expected), "no '%s' in %s", expected, screen);
    let_go(&holder);
    end_of(pid);
    for (const char *line = strtok(screen, "\r"); line != NULL; line = strtok(NULL, "\r"))
        cr_expect_leq(strlen(line), strlen("\033[K") + 39, "'%s'", line);
}

Test(terminal, several_who_hold_it_are_the_first_and_a_number)
{
    char expected[PATH_MAX + 128];
    struct process first = hold_until_told("posix-read", world.primary);
    struct process second = hold_until_told("posix-read", world.primary);
    struct process third = hold_until_told("posix-read", world.primary);
    pid_t pid = start_on_terminal("20", 300);
    snprintf(expected, sizeof expected, ") and 2 more, POSIX read lock: %s", world.dir);
    cr_expect(await_on_screen(expected), "no '%s' in %s", expected, screen);
    let_go(&first);
    let_go(&second);
    let_go(&third);
    cr_expect_eq(end_of(pid), 0);
}

Test(terminal, a_short_wait_draws_nothing)
{
    pid_t pid = start_on_terminal("10", 60);
    cr_expect_eq(end_of(pid), 0);
    cr_expect_eq(screen_length, 0u);
}

static void expect_end_by(int number)
{
    struct process holder = hold_until_told("posix", world.primary);
    pid_t pid = start_on_terminal("10", 60);
    cr_expect(await_on_screen(" s left, "));
    uint64_t began = now_ns();
    kill(pid, number);
    cr_expect_eq(end_of(pid), 128 + number);
    cr_expect_lt(now_ns(), began + 1000 * (uint64_t)MS);
    cr_expect(ends_erased(), "signal %d", number);
    kill(holder.pid, SIGKILL);
    finish(&holder);
}

Test(terminal, a_signal_ends_it_by_that_signal_and_erases_the_line)
{
    expect_end_by(SIGINT);
    expect_end_by(SIGTERM);
    expect_end_by(SIGHUP);
}

/* As the terminal's driver sends it to all of its processes, the one that waits included. */
Test(terminal, the_interrupt_key_ends_all_of_it)
{
    struct process holder = hold_until_told("posix", world.primary);
    pid_t pid = start_on_terminal("10", 60);
    cr_expect(await_on_screen(" s left, "));
    cr_assert_eq(write(terminal, "\003", 1), 1);
    cr_expect_eq(end_of(pid), 128 + SIGINT);
    cr_expect_null(strstr(screen, "ended from outside"));
    sleep_ms(100);
    char command[PATH_MAX + 64];
    snprintf(command, sizeof command, "settle-wait --max-wait 10 %s", world.dir);
    struct process p = PLAIN("pgrep", "-f", command);
    cr_expect_eq(finish(&p), 1, "nothing is left of it");
    kill(holder.pid, SIGKILL);
    finish(&holder);
}

/* Or it would end before its parent has erased the line. */
Test(terminal, the_process_that_waits_leaves_signals_to_its_parent)
{
    struct process holder = hold_until_told("posix", world.primary);
    struct process p = PLAIN("build/settle-wait", "--max-wait", "20", world.dir);
    cr_expect_eq(kill(first_child(&p).pid, SIGINT), 0);
    sleep_ms(400);
    cr_expect_eq(waitpid(p.pid, NULL, WNOHANG), 0, "it ends while the store is held");
    let_go(&holder);
    cr_expect_eq(finish(&p), 0);
}

Test(terminal, without_one_nothing_is_drawn_and_signals_end_it_all_the_same)
{
    struct process holder = hold_until_told("posix", world.primary);
    struct process p = PLAIN("build/settle-wait", "--max-wait", "10", world.dir);
    first_child(&p);
    sleep_ms(400);
    cr_expect_eq(kill(p.pid, SIGTERM), 0);
    cr_expect_eq(finish(&p), 128 + SIGTERM);
    cr_expect_str_eq(errors_of(&p), "");
    kill(holder.pid, SIGKILL);
    finish(&holder);
}

Test(terminal, a_signal_that_is_ignored_stays_ignored)
{
    struct process holder = hold_until_told("posix", world.primary);
    struct process p = PLAIN("sh", "-c", "trap '' INT; exec build/settle-wait --max-wait 20 \"$1\"",
                             "sh", world.dir);
    first_child(&p);
    cr_expect_eq(kill(p.pid, SIGINT), 0);
    sleep_ms(400);
    let_go(&holder);
    cr_expect_eq(finish(&p), 0);
}

/* --- a copy --- */

/* Of 3 MB, of which two bytes that the index tells of are missing. */
static void make_store_whose_copy_lasts(void)
{
    struct process p =
        PLAIN("/usr/bin/python3", "-c",
              "import os, sqlite3, struct, sys\n"
              "c = sqlite3.connect(sys.argv[1])\n"
              "c.execute('create table t(a)')\n"
              "c.execute('insert into t values (zeroblob(3000000))')\n"
              "c.commit()\n"
              "os.mkdir('/'.join((os.path.dirname(sys.argv[1]), 'c')))\n"
              "os.chdir(os.path.dirname(sys.argv[1]) + '/c')\n"
              "open('header.bin', 'wb').write(struct.pack('<iQQQQQQiIQQQdQ', 1, 0, 100, "
              "10, 64, 56, 8, 0, 0, 16, 32, 16, 0.36, 100))\n"
              "open('index_metadata.pickle', 'wb').write(b'N.')\n",
              world.primary);
    cr_assert_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(terminal, shows_how_much_of_a_copy_is_done_and_for_how_long_writers_wait)
{
    make_store_whose_copy_lasts();
    const char *const command[] = {"build/settle-wait", "--max-hold", "20", "--copy",
                                   in_dir("../copy"),   world.dir,    NULL};
    pid_t pid = run_on_terminal(command, 300);
    cr_expect(await_on_screen("copying "), "%s", screen);
    cr_expect(await_on_screen(" of 3.0 MB"), "%s", screen);
    cr_expect(await_on_screen("; writers wait for 1"), "%s", screen);
    cr_assert_eq(write(terminal, "\x1a", 1), 1); /* ^Z: they would wait until it is continued */
    sleep_ms(200);
    cr_assert_eq(write(terminal, "\x03", 1), 1); /* ^C */
    cr_expect_eq(end_of(pid), 128 + SIGINT);
    cr_expect(ends_erased(), "the line is gone");
}
