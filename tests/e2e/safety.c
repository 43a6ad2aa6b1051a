/* What must not go wrong: locks, exits, bad input. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(safety, .init = world_begin, .fini = world_end, .timeout = 120);

static const long reserved_byte = 0x40000001; /* https://www.sqlite.org/src/file/src/os.h */
static const uint64_t soon = 250 * (uint64_t)MS;

/* While one thread waits in its close, another opens the store again and takes RESERVED. (With the
 * trigger "every", so that this does not end the wait.) The probe that is running must not drop
 * that lock: a close in the program's own table would. */
Test(safety, the_programs_own_locks_survive_a_probe)
{
    struct process p = SHIMMED_WITH(OPTIONS("--trigger", "every", "--max-wait", "1"),
                                    "build/programs/threads", "reopen", world.primary, "150");
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 600);
    send_line(&p, "go");
    uint64_t reserved = await_line(&p, "reserved");
    cr_expect_eq(lock_owner(world.primary, reserved_byte), p.pid, "lost while the probe ran");
    await_line(&p, "closed");
    cr_expect_eq(lock_owner(world.primary, reserved_byte), p.pid, "lost after the probe");
    cr_expect_lt(reserved, released_at(&holder), "the close waited with SQLite's mutex held");
    cr_expect_eq(lock_owner(world.primary, reserved_byte), p.pid);
    send_line(&p, "go");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(safety, a_wait_ends_when_the_program_opens_the_store_again)
{
    struct process p = SHIMMED("build/programs/threads", "reopen", world.primary, "150");
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 600);
    send_line(&p, "go");
    await_line(&p, "reserved");
    send_line(&p, "go");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_count("opened again by this process"), 1);
    cr_expect_eq(log_count("File unlocked after polling"), 1, "the last close waits all the same");
    released_at(&holder);
}

Test(safety, one_connections_close_leaves_the_others_lock)
{
    struct process p =
        SHIMMED_WITH(OPTIONS("--trigger", "every", "--max-wait", "300ms"), "/usr/bin/python3", "-c",
                     "import sqlite3, sys\n"
                     "one = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                     "one.execute('create table t(a)')\n"
                     "two = sqlite3.connect(sys.argv[1])\n"
                     "two.execute('select * from t').fetchall()\n"
                     "one.execute('begin immediate')\n"
                     "two.close()\n"
                     "print('closed', flush=True)\n"
                     "sys.stdin.readline()\n"
                     "one.execute('insert into t values (1)')\n"
                     "one.execute('commit')\n"
                     "one.close()\n",
                     world.primary);
    await_line(&p, "closed");
    cr_expect_eq(lock_owner(world.primary, reserved_byte), p.pid);
    send_line(&p, "go");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(safety, an_exit_waits_for_a_close_on_another_thread)
{
    struct process p = SHIMMED("build/programs/threads", "exit-closing", world.primary, "40");
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 400);
    send_line(&p, "go");
    cr_expect_eq(finish(&p), 7);
    uint64_t ended = now_ns();
    uint64_t released = released_at(&holder);
    cr_expect_geq(ended, released);
    cr_expect_lt(ended, released + PROMPTLY);
    cr_expect(log_has("at exit: 0 handles still open"));
}

Test(safety, an_exit_does_not_wait_where_it_is_told_not_to)
{
    struct process p = SHIMMED_WITH(OPTIONS("--at-exit", "off"), "build/programs/threads",
                                    "exit-closing", world.primary, "40");
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 1000);
    send_line(&p, "go");
    cr_expect_eq(finish(&p), 7);
    uint64_t ended = now_ns();
    cr_expect_lt(ended, released_at(&holder));
}

static uint64_t exit_time(const char *mode, const char *ms, const char *grace)
{
    struct process p = SHIMMED_WITH(OPTIONS("--fallback-delay", grace), "build/programs/threads",
                                    mode, world.primary, ms);
    await_line(&p, "open");
    uint64_t began = now_ns();
    send_line(&p, "go");
    cr_expect_eq(finish(&p), 7);
    return now_ns() - began;
}

Test(safety, a_leaked_handle_costs_the_exit_a_tenth_of_a_second_at_most)
{
    uint64_t leaking = exit_time("exit-leaking", "0", "100ms");
    uint64_t single = exit_time("exit-single", "0", "100ms");
    cr_expect_geq(leaking, 95 * (uint64_t)MS);
    cr_expect_lt(leaking, 100 * (uint64_t)MS + soon);
    cr_expect_lt(single + 50 * (uint64_t)MS, leaking, "one thread alone has nobody to wait for");
    cr_expect_eq(log_count("at exit: 1 handles still open"), 2);
}

/* Five descriptors, one after the other, which takes longer than the grace. */
Test(safety, an_exit_waits_for_as_long_as_handles_keep_going_away)
{
    cr_expect_geq(exit_time("exit-one-by-one", "150", "500ms"), 740 * (uint64_t)MS);
    cr_expect(log_has("at exit: 0 handles still open"));
}

Test(safety, and_not_while_more_of_them_come)
{
    cr_expect_lt(exit_time("exit-opening", "50", "100ms"), 100 * (uint64_t)MS + soon);
}

/* --- bad input --- */

static struct step open_and_close(struct process *p, const char *command, const char *path)
{
    char line[PATH_MAX + 32];
    snprintf(line, sizeof line, "%s a - %s", command, path);
    struct step s = step(p, line);
    return s.result < 0 ? s : step(p, "close a");
}

Test(safety, a_fifo_or_device_of_the_primarys_name_is_left_alone)
{
    cr_assert_eq(unlink(world.primary), 0);
    cr_assert_eq(mkfifo(world.primary, 0644), 0);
    struct process p = SHIMMED("build/programs/stepper");
    struct step s = open_and_close(&p, "nonblock", world.primary);
    cr_expect_eq(s.result, 0);
    cr_expect_eq(s.error, 12345);
    cr_expect_eq(log_count("warning: "), 1);
    cr_expect(log_has("chroma.sqlite3: is not a regular file"));
    if (geteuid() == 0) {
        cr_assert_eq(unlink(world.primary), 0);
        cr_assert_eq(mknod(world.primary, S_IFCHR | 0644, 1 << 8 | 3), 0); /* /dev/null */
        cr_expect_eq(open_and_close(&p, "open", world.primary).result, 0);
        cr_expect_eq(log_count("is not a regular file"), 2);
    } else {
        cr_log_warn("SKIPPED: a device node needs root");
    }
    cr_expect_eq(finish(&p), 0);
}

Test(safety, a_directory_removed_while_open_is_said_and_not_waited_for)
{
    char command[PATH_MAX + 32];
    struct process p = SHIMMED("build/programs/stepper");
    snprintf(command, sizeof command, "open a - %s", world.primary);
    step(&p, command);
    cr_assert_eq(unlink(world.primary), 0);
    cr_assert_eq(rmdir(world.dir), 0);
    struct step s = step(&p, "close a");
    cr_expect_eq(s.result, 0);
    cr_expect_eq(s.error, 12345);
    cr_expect_lt(s.took, soon);
    cr_expect(log_has("chroma.sqlite3: removed or replaced, nothing to wait for"));
    cr_expect_eq(finish(&p), 0);
}

Test(safety, an_unreadable_directory_costs_a_fixed_delay_and_a_warning)
{
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: another user's process needs root");
        return;
    }
    cr_assert_eq(chmod(in_dir(".."), 0777), 0);
    cr_assert_eq(chmod(world.dir, 0777), 0);
    cr_assert_eq(chmod(world.primary, 0666), 0);
    close(open(world.log, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
    cr_assert_eq(chmod(world.log, 0666), 0);
    /* the program opens its store, and the directory becomes unreadable for it while it is open */
    struct process p = SHIMMED("/usr/bin/python3", "-c",
                               "import os, sys, time\n"
                               "os.setgid(65534); os.setuid(65534)\n"
                               "fd = os.open(sys.argv[1], os.O_RDWR)\n"
                               "print('open', flush=True)\n"
                               "sys.stdin.readline()\n"
                               "began = time.monotonic()\n"
                               "os.close(fd)\n"
                               "sys.exit(0 if 0.09 < time.monotonic() - began < 0.6 else 1)\n",
                               world.primary);
    await_line(&p, "open");
    cr_assert_eq(chmod(world.dir, 0), 0);
    send_line(&p, "go");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect(log_has("chroma.sqlite3: cannot be examined (EACCES), a fixed delay instead"));
    chmod(world.dir, 0755);
}

Test(safety, bad_settings_are_named_and_the_default_holds)
{
    static const struct {
        const char *name, *value;
    } bad[] = {{"SETTLE_MAX_WAIT", ""},       {"SETTLE_MAX_WAIT", "banana"},
               {"SETTLE_MAX_WAIT", "1e99"},   {"SETTLE_MAX_WAIT", "-1"},
               {"SETTLE_LOG", "loud"},        {"SETTLE_STORES", "oracle"},
               {"SETTLE_CHECK_INTERVAL", "x"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char expected[128];
        setenv(bad[i].name, bad[i].value, 1);
        setenv("LD_PRELOAD", "build/libsettle.so", 1);
        struct process p = PLAIN("/usr/bin/python3", "tests/e2e/programs/closer.py", world.primary);
        unsetenv("LD_PRELOAD");
        unsetenv(bad[i].name);
        await_line(&p, "open");
        send_line(&p, "close");
        await_line(&p, "closed");
        cr_expect_eq(finish(&p), 0);
        snprintf(expected, sizeof expected, "warning: %s='%s': expected ", bad[i].name,
                 bad[i].value);
        const char *errors = errors_of(&p);
        cr_expect_not_null(strstr(errors, expected), "%s: %s", expected, errors);
        cr_expect_null(strchr(strchr(errors, '\n') + 1, '\n'), "more than one line: %s", errors);
    }
}

Test(safety, a_log_file_that_cannot_be_written_is_said_once)
{
    setenv("SETTLE_LOG", "debug", 1);
    setenv("SETTLE_LOG_FILE", "/nonexistent/log", 1);
    setenv("LD_PRELOAD", "build/libsettle.so", 1);
    struct process p = PLAIN("build/programs/stepper");
    unsetenv("LD_PRELOAD");
    unsetenv("SETTLE_LOG_FILE");
    unsetenv("SETTLE_LOG");
    for (int i = 0; i < 3; i++)
        cr_expect_eq(open_and_close(&p, "open", world.primary).result, 0);
    cr_expect_eq(finish(&p), 0);
    const char *errors = errors_of(&p);
    const char *said =
        strstr(errors, "SETTLE_LOG_FILE='/nonexistent/log': cannot be written (ENOENT)");
    cr_expect_not_null(said, "%s", errors);
    if (said != NULL)
        cr_expect_null(strstr(said + 1, "SETTLE_LOG_FILE="));
}

Test(safety, a_relative_log_file_stays_where_the_program_started)
{
    const char *log = "build/relative.log";
    unlink(log);
    setenv("SETTLE_LOG", "debug", 1);
    setenv("SETTLE_LOG_FILE", log, 1);
    setenv("LD_PRELOAD", "build/libsettle.so", 1);
    struct process p = PLAIN("build/programs/stepper");
    unsetenv("LD_PRELOAD");
    unsetenv("SETTLE_LOG_FILE");
    unsetenv("SETTLE_LOG");
    cr_expect_eq(step(&p, "chdir - - /").result, 0);
    cr_expect_eq(open_and_close(&p, "open", world.primary).result, 0);
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(unlink(log), 0, "no log where it was asked for");
    cr_expect_str_eq(errors_of(&p), "");
}

/* As under a filter or a kernel that lacks it: the program's call fails and changes nothing, and
 * the probe, which needs it too, gives way to the fixed delay. */
Test(safety, without_close_range_a_close_takes_the_fixed_delay)
{
    char command[PATH_MAX + 32];
    struct process p = SHIMMED("strace", "-f", "-o", "/dev/null", "-e", "trace=close_range", "-e",
                               "inject=close_range:error=ENOSYS", "build/programs/stepper");
    snprintf(command, sizeof command, "open a - %s", world.primary);
    cr_assert_geq(step(&p, command).result, 0);
    struct step failed = step(&p, "closerange a a");
    cr_expect_eq(failed.result, -1);
    cr_expect_eq(failed.error, ENOSYS);
    cr_expect_lt(failed.took, 90 * (uint64_t)MS, "nothing was closed, nothing is waited for");
    struct step closed = step(&p, "close a");
    cr_expect_eq(closed.result, 0);
    cr_expect_eq(closed.error, 12345);
    cr_expect_geq(closed.took, 95 * (uint64_t)MS);
    cr_expect_lt(closed.took, 95 * (uint64_t)MS + soon);
    cr_expect_eq(finish(&p), 0);
    /* the log file is written from a helper, too: the warning goes to standard error instead */
    cr_expect_not_null(strstr(errors_of(&p), "cannot be examined from a helper thread (ENOSYS)"));
}

Test(safety, nothing_is_printed_unasked)
{
    setenv("LD_PRELOAD", "build/libsettle.so", 1);
    struct process p = PLAIN("/usr/bin/python3", "tests/e2e/programs/closer.py", world.primary);
    unsetenv("LD_PRELOAD");
    await_line(&p, "open");
    send_line(&p, "close");
    await_line(&p, "closed");
    cr_expect_eq(finish(&p), 0);
    cr_expect_str_eq(errors_of(&p), "");
}

Test(safety, a_disabled_shim_does_nothing)
{
    struct process holder = hold("posix", world.primary, 1000);
    struct process p = SHIMMED_WITH(OPTIONS("--disable"), "build/programs/stepper");
    cr_expect_eq(open_and_close(&p, "open", world.primary).result, 0);
    cr_expect_eq(finish(&p), 0);
    cr_expect_lt(now_ns(), released_at(&holder));
    cr_expect_neq(access(world.log, F_OK), 0, "a log was written");
}

/* PHP loads its extensions with RTLD_DEEPBIND, past every preloaded library. */
Test(safety, deepbind_is_kept_by_default_and_stripped_on_request)
{
    struct process p = SHIMMED("/usr/bin/php", "tests/e2e/programs/closer.php", world.primary);
    await_line(&p, "open");
    send_line(&p, "close");
    await_line(&p, "closed");
    cr_expect_eq(finish(&p), 0);
    /* Debian's PHP binds its extensions as others do since 8.4. */
    bool binds_deep =
        system("LC_ALL=C grep -qaP '\\xbe[\\x09\\x0a]\\x01\\x00\\x00' /usr/bin/php") == 0;
    cr_expect_eq(log_waits() == 0, binds_deep);

    p = SHIMMED_WITH(OPTIONS("--deepbind", "strip"), "/usr/bin/php",
                     "tests/e2e/programs/closer.php", world.primary);
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 300);
    send_line(&p, "close");
    uint64_t closed = await_line(&p, "closed");
    cr_expect_geq(closed, released_at(&holder));
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}
