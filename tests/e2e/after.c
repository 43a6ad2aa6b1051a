/* settle --after: the command runs as a child, and its stores are waited for when it has ended. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(after, .init = world_begin, .fini = world_end, .timeout = 120);

#define WAITING(longest, ...)                                                                      \
    PLAIN("scripts/settle", "--after", "--max-wait", longest, "--", __VA_ARGS__)
#define AFTER(...)   WAITING("10", __VA_ARGS__) /* a busy machine makes a holder late */
#define BRIEFLY(...) WAITING("1", __VA_ARGS__)  /* for who is not let go in time */

/* Opens the store, says so, and sits there with it. */
static const char sitting[] = "import os, sys, time\n"
                              "for path in sys.argv[1:]:\n"
                              "    os.open(path, os.O_RDWR)\n"
                              "print('open', flush=True)\n"
                              "time.sleep(20)\n";

/* Its end, as the parent sees it. */
static int status_of(struct process *p)
{
    int status = 0;
    cr_assert_eq(waitpid(p->pid, &status, 0), p->pid);
    p->pid = -1;
    return status;
}

Test(after, the_end_is_that_of_the_command)
{
    static const int codes[] = {0, 1, 2, 7, 124, 125, 126, 127, 128, 143, 255};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char script[32];
        snprintf(script, sizeof script, "exit %d", codes[i]);
        struct process p = AFTER("sh", "-c", script);
        cr_expect_eq(finish(&p), codes[i]);
    }
    static const int signals[] = {SIGTERM, SIGKILL, SIGINT, SIGHUP, SIGSEGV, SIGUSR1};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        char script[32];
        snprintf(script, sizeof script, "kill -%d $$", signals[i]);
        struct process p = AFTER("sh", "-c", script);
        int status = status_of(&p);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == signals[i], "signal %d: %#x",
                  signals[i], (unsigned)status);
    }
}

Test(after, a_command_that_cannot_be_run_is_named)
{
    struct process p = AFTER("/nonexistent/command");
    cr_expect_eq(finish(&p), 127);
    cr_expect_not_null(strstr(errors_of(&p), "'/nonexistent/command': no such command"));
    p = AFTER("/");
    cr_expect_eq(finish(&p), 126);
}

Test(after, stores_of_a_killed_command_are_waited_for)
{
    struct process p = AFTER("/usr/bin/python3", "-c", sitting, world.primary);
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 500);
    cr_assert_eq(kill(p.pid, SIGTERM), 0);
    int status = status_of(&p);
    uint64_t ended = now_ns();
    uint64_t released = released_at(&holder);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    cr_expect_geq(ended, released);
    cr_expect_lt(ended, released + PROMPTLY);
}

Test(after, a_store_that_stays_held_is_named_and_changes_no_status)
{
    struct process holder = hold("posix", world.primary, 3000);
    struct process p = BRIEFLY("/usr/bin/python3", "-c",
                               "import os, sys\n"
                               "os.open(sys.argv[1], os.O_RDWR)\n"
                               "os._exit(3)\n",
                               world.primary);
    cr_expect_eq(finish(&p), 3);
    const char *errors = errors_of(&p);
    cr_expect_not_null(strstr(errors, "still locked after 1.0"), "%s", errors);
    kill(holder.pid, SIGKILL);
    finish(&holder);
}

Test(after, every_store_is_waited_for_within_one_deadline)
{
    char second[PATH_MAX];
    cr_assert_eq(mkdir(in_dir("second"), 0755), 0);
    snprintf(second, sizeof second, "%s", in_dir("second/chroma.sqlite3"));
    fclose(fopen(second, "w"));
    struct process p = BRIEFLY("/usr/bin/python3", "-c", sitting, world.primary, second);
    await_line(&p, "open");
    struct process one = hold("posix", world.primary, 3000);
    struct process two = hold("posix", second, 3000);
    uint64_t began = now_ns();
    cr_assert_eq(kill(p.pid, SIGTERM), 0);
    status_of(&p);
    uint64_t took = now_ns() - began;
    cr_expect_geq(took, 950 * (uint64_t)MS);
    cr_expect_lt(took, 1700 * (uint64_t)MS);
    kill(one.pid, SIGKILL);
    kill(two.pid, SIGKILL);
    finish(&one);
    finish(&two);
}

Test(after, stores_that_only_a_child_of_the_command_used_are_waited_for)
{
    struct process p =
        AFTER("sh", "-c",
              "/usr/bin/python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDWR); "
              "os._exit(0)' \"$1\"; echo used; read line; exit 5",
              "sh", world.primary);
    await_line(&p, "used");
    struct process holder = hold("posix", world.primary, 500);
    send_line(&p, "");
    cr_expect_eq(finish(&p), 5);
    cr_expect_geq(now_ns(), released_at(&holder));
}

Test(after, nothing_is_left_behind)
{
    cr_assert_eq(mkdir(in_dir("tmp"), 0755), 0);
    setenv("TMPDIR", in_dir("tmp"), 1);
    struct process p = AFTER("/usr/bin/python3", "-c", sitting, world.primary);
    unsetenv("TMPDIR");
    await_line(&p, "open");
    cr_expect_neq(rmdir(in_dir("tmp")), 0,
                  "the list of stores is elsewhere, so this shows nothing");
    cr_assert_eq(kill(p.pid, SIGTERM), 0);
    status_of(&p);
    cr_expect_eq(rmdir(in_dir("tmp")), 0);
}

Test(after, stores_are_waited_for_until_the_level_that_is_set)
{
    struct process holder = hold("open", world.primary, 700);
    struct process p = PLAIN("scripts/settle", "--after", "--until", "closed", "--max-wait", "10",
                             "--", "/usr/bin/python3", "-c",
                             "import os, sys\n"
                             "os.open(sys.argv[1], os.O_RDWR)\n"
                             "os._exit(0)\n",
                             world.primary);
    cr_expect_eq(finish(&p), 0);
    cr_expect_str_eq(errors_of(&p), "");
    cr_expect_geq(now_ns(), released_at(&holder));
}

Test(after, a_store_that_is_gone_is_no_matter)
{
    struct process p = AFTER("/usr/bin/python3", "-c",
                             "import os, sys\n"
                             "os.open(sys.argv[1], os.O_RDWR)\n"
                             "os.unlink(sys.argv[1])\n"
                             "os._exit(0)\n",
                             world.primary);
    cr_expect_eq(finish(&p), 0);
    cr_expect_str_eq(errors_of(&p), "");
}

Test(after, signals_reach_the_command)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGWINCH};
    struct process p = AFTER("/usr/bin/python3", "-c",
                             "import os, select, signal\n"
                             "def say(number, frame):\n" /* it may come while print prints */
                             "    os.write(1, b'got %d\\n' % number)\n"
                             "for number in (1, 2, 3, 10, 12, 15, 28):\n"
                             "    signal.signal(number, say)\n"
                             "print('open', flush=True)\n"
                             /* one that comes just before a system call is handled after it */
                             "while not select.select([0], [], [], 0.05)[0]:\n"
                             "    pass\n");
    await_line(&p, "open");
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        char expected[16];
        snprintf(expected, sizeof expected, "got %d", signals[i]);
        cr_assert_eq(kill(p.pid, signals[i]), 0);
        await_line(&p, expected);
    }
    cr_expect_eq(finish(&p), 0);
}

Test(after, the_command_finds_its_signals_and_streams_as_they_were)
{
    struct process p = AFTER("/usr/bin/python3", "-c",
                             "import signal, sys\n"
                             "print(sys.stdin.readline().strip(), flush=True)\n"
                             "print(len(signal.pthread_sigmask(signal.SIG_BLOCK, [])),\n"
                             "      signal.getsignal(signal.SIGCHLD).name, flush=True)\n");
    send_line(&p, "hello");
    await_line(&p, "hello");
    await_line(&p, "0 SIG_DFL");
    cr_expect_eq(finish(&p), 0);
}

Test(after, only_the_command_has_the_library)
{
    struct process p = AFTER("sh", "-c",
                             "grep -c libsettle /proc/$PPID/maps; "
                             "env | grep -c -e SETTLE_PRELOAD; "
                             "grep -q libsettle /proc/self/maps && echo loaded");
    await_line(&p, "0");
    await_line(&p, "0");
    await_line(&p, "loaded");
    cr_expect_eq(finish(&p), 0);
}

Test(after, a_stop_of_the_command_stops_the_launcher_too)
{
    struct process p = AFTER("sh", "-c", "echo open; kill -STOP $$; exit 4");
    int status = 0;
    await_line(&p, "open");
    cr_assert_eq(waitpid(p.pid, &status, WUNTRACED), p.pid);
    cr_assert(WIFSTOPPED(status));
    char command[64];
    snprintf(command, sizeof command, "pkill -CONT -P %d; kill -CONT %d", (int)p.pid, (int)p.pid);
    struct process resume = PLAIN("sh", "-c", command);
    cr_expect_eq(finish(&resume), 0);
    cr_expect_eq(WEXITSTATUS(status_of(&p)), 4);
}

/* As the first process of a container: it reaps orphans, and a signal that the command has no
 * handler for ends the command all the same. */
Test(after, as_the_first_process_it_reaps_orphans_and_passes_signals_on)
{
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: a pid namespace needs root");
        return;
    }
    struct process p = PLAIN(
        "unshare", "--pid", "--fork", "--mount-proc", "scripts/settle", "--after", "--", "sh", "-c",
        "sh -c 'sleep 0.1 & exit' & sleep 0.4; "
        "echo zombies $(grep -l 'State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l); "
        "kill -TERM 1; sleep 5");
    await_line(&p, "zombies 0");
    cr_expect_eq(finish(&p), 128 + SIGTERM);
}

/* --- settle --after PATH --- */

/* A program that no library reaches has the store open. */
static struct process static_with_store(const char *named)
{
    struct process p = PLAIN("scripts/settle", "--after", named, "--max-wait", "10", "--",
                             "build/programs/stepper-static");
    say(&p, "open A -", world.primary);
    return p;
}

static void expect_said(struct process *p, const char *message)
{
    const char *errors = errors_of(p);
    cr_expect_not_null(strstr(errors, message), "no '%s' in: %s", message, errors);
}

Test(after, a_store_by_name_is_waited_for_where_no_library_saw_it)
{
    char said[2 * PATH_MAX];
    const char *const names[] = {world.dir, world.primary};
    for (size_t i = 0; i < 2; i++) {
        struct process p = static_with_store(names[i]);
        struct process holder = hold("posix", world.primary, 500);
        cr_assert_eq(kill(p.pid, SIGTERM), 0);
        int status = status_of(&p);
        uint64_t ended = now_ns();
        uint64_t released = released_at(&holder);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
        cr_expect_geq(ended, released, "%s", names[i]);
        cr_expect_lt(ended, released + PROMPTLY, "%s", names[i]);
        snprintf(said, sizeof said, "settle: not seen by the library, so waited for by name: %s\n",
                 world.primary);
        cr_expect_str_eq(errors_of(&p), said);
    }
}

Test(after, without_its_name_nobody_knows_of_it)
{
    struct process p = PLAIN("scripts/settle", "--after", "--", "build/programs/stepper-static");
    say(&p, "open A -", world.primary);
    struct process holder = hold("posix", world.primary, 1000);
    cr_expect_eq(finish(&p), 0);
    cr_expect_lt(now_ns(), released_at(&holder));
}

/* By whatever name. */
Test(after, a_store_by_name_that_the_library_saw_is_waited_for_once_and_not_told)
{
    cr_assert_eq(symlink(world.dir, in_dir("link")), 0);
    struct process holder = hold("posix", world.primary, 3000);
    struct process p = PLAIN("scripts/settle", "--after", world.dir, in_dir("link"),
                             "--max-wait=200ms", "--", "/usr/bin/python3", "-c",
                             "import os, sys\n"
                             "os.open(sys.argv[1], os.O_RDWR)\n"
                             "os._exit(3)\n",
                             world.primary);
    cr_expect_eq(finish(&p), 3);
    const char *line = strstr(errors_of(&p), "still locked after 0.2");
    cr_expect_not_null(line, "%s", errors_of(&p));
    cr_expect_null(line == NULL ? NULL : strstr(line + 1, "still locked"), "%s", errors_of(&p));
    cr_expect_null(strstr(errors_of(&p), "by name"), "%s", errors_of(&p));
    kill(holder.pid, SIGKILL);
    finish(&holder);
}

Test(after, what_is_no_store_at_the_end_is_told_and_changes_no_status)
{
    cr_assert_eq(mkdir(in_dir("empty"), 0755), 0);
    struct process p = PLAIN("scripts/settle", "--after", in_dir("none"), in_dir("empty"), "--",
                             "sh", "-c", "exit 3");
    cr_expect_eq(finish(&p), 3);
    expect_said(&p, "/none: No such file or directory");
    expect_said(&p, "/empty: no store is recognised in this directory");
    cr_expect_null(strstr(errors_of(&p), "by name"), "%s", errors_of(&p));
}

Test(after, a_store_by_name_that_the_command_makes_is_waited_for)
{
    struct process p = PLAIN("scripts/settle", "--after", in_dir("new.db"), "--", "sh", "-c",
                             "sqlite3 \"$1\" 'create table t(a)'; cat", "sh", in_dir("new.db"));
    while (access(in_dir("new.db"), F_OK) != 0)
        usleep(1000);
    struct process holder = hold("posix", in_dir("new.db"), 500);
    cr_expect_eq(finish(&p), 0);
    cr_expect_geq(now_ns(), released_at(&holder));
    expect_said(&p, "so waited for by name: ");
}
