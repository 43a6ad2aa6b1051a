/* Programs of another system under the library of this one. PORTABLE_ROOT is the directory of that
 * system; in it, its own path leads to it, so that a name means the same on both sides. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(roots, .init = world_begin, .fini = world_end, .timeout = 60);
TestSuite(interpreters, .init = world_begin, .fini = world_end, .timeout = 60);

static const char *in_root(const char *path)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *out = paths[next++ % 4];
    cr_assert_lt(snprintf(out, PATH_MAX, "%s%s", getenv("PORTABLE_ROOT"), path), PATH_MAX);
    return out;
}

/* What makes a command of one that runs in the root, with /proc mounted there or as it is. */
#define ENTER      "unshare", enter_root(), "--mount-proc=/proc"
#define ENTER_BARE "unshare", enter_root()

static const char *enter_root(void)
{
    static char option[PATH_MAX + 8];
    snprintf(option, sizeof option, "--root=%s", in_root(""));
    return option;
}

static void expect_return_after(struct process *holder, uint64_t closed, const char *what)
{
    uint64_t released = released_at(holder);
    cr_expect_geq(closed, released, "%s: closed %llu us before the release", what,
                  (unsigned long long)(released - closed) / 1000);
    cr_expect_lt(closed, released + PROMPTLY, "%s: closed %llu ms after the release", what,
                 (unsigned long long)(closed - released) / MS);
    cr_expect(log_has("File unlocked after polling"), "%s", what);
}

/* --- C programs --- */

#define STEPPER in_root("/settle/stepper")

static void expect_step_waits(struct process p, const char *open, const char *close,
                              const char *kind)
{
    char command[PATH_MAX + 32];
    snprintf(command, sizeof command, "%s a - %s", open, world.primary);
    cr_assert_geq(step(&p, command).result, 0);
    struct process holder = hold(kind, world.primary, 300);
    struct step s = step(&p, close);
    expect_return_after(&holder, now_ns(), close);
    cr_expect_eq(s.result, 0);
    cr_expect_eq(s.error, 12345, "%s changed errno to %d", close, s.error);
    cr_expect_eq(finish(&p), 0);
}

Test(roots, a_close_waits_for_the_release)
{
    expect_step_waits(SHIMMED(ENTER, STEPPER), "open", "close a", "posix");
    expect_step_waits(SHIMMED(ENTER, STEPPER), "open", "closefrom a", "ofd");
    expect_step_waits(SHIMMED(ENTER, STEPPER), "fopen", "fclose a", "flock");
    expect_step_waits(SHIMMED(ENTER, STEPPER), "creat", "rawclose a", "posix-read");
}

Test(roots, without_proc_a_close_waits_too)
{
    expect_step_waits(SHIMMED(ENTER_BARE, STEPPER), "open", "close a", "posix");
}

static const char *const steps[] = {
    "open a - %s",     "nonblock b - %s",   "dup a c",      "dupfd a d",       "dup2 a b",
    "openat e a x",    "creat f - %s-new",  "fopen g - %s", "freopen g - %s",  "badclose",
    "childcloses a",   "childopens a - %s", "close b",      "close b",         "rawclose c",
    "closerange d d",  "close f",           "fclose g",     "fopen h - /none", "lowest",
    "thousand a - %s", "closefrom a",       "close a",      "lowest",
};

Test(roots, results_and_errors_are_as_without_the_shim)
{
    struct process plain = PLAIN(ENTER, STEPPER);
    struct process p = SHIMMED(ENTER, STEPPER);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        char command[PATH_MAX + 32];
        snprintf(command, sizeof command, steps[i], world.primary);
        struct step expected = step(&plain, command);
        struct step s = step(&p, command);
        cr_expect_eq(s.result, expected.result, "%s: %ld, not %ld", command, s.result,
                     expected.result);
        cr_expect_eq(s.error, expected.error, "%s: errno %d, not %d", command, s.error,
                     expected.error);
    }
    cr_expect_eq(finish(&p), finish(&plain));
    cr_expect_str_eq(errors_of(&p), "");
}

/* --- what the libc may lack --- */

#define NAMES in_root("/settle/names")

Test(roots, a_store_opened_by_a_name_that_libc_may_lack_is_waited_for)
{
    struct process p = SHIMMED(ENTER, NAMES, "open64", world.primary);
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 300);
    send_line(&p, "close");
    expect_return_after(&holder, await_line(&p, "closed"), "open64");
    cr_expect_eq(finish(&p), 0);
}

Test(roots, an_open_by_a_name_that_libc_may_lack_can_be_cancelled)
{
    cr_assert_eq(mkfifo(in_dir("fifo"), 0600), 0);
    struct process p = SHIMMED(ENTER, NAMES, "cancel64", in_dir("fifo"));
    await_line(&p, "cancelled");
    cr_expect_eq(finish(&p), 0);
}

Test(roots, closefrom_closes_even_where_the_kernel_has_no_close_range)
{
    struct process p = SHIMMED(ENTER, NAMES, "closefrom", "-");
    await_line(&p, "0 -1 -1");
    cr_expect_eq(finish(&p), 0);
    p = SHIMMED("strace", "-f", "-o", "/dev/null", "-e", "trace=close_range", "-e",
                "inject=close_range:error=ENOSYS", ENTER, NAMES, "closefrom", "-");
    await_line(&p, "0 -1 -1");
    cr_expect_eq(finish(&p), 0);
}

/* --- SQLite's programs --- */

Test(interpreters, pythons_close_waits)
{
    struct process p =
        SHIMMED(ENTER, "/usr/bin/python3", in_root("/settle/closer.py"), world.primary);
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 300);
    send_line(&p, "close");
    expect_return_after(&holder, await_line(&p, "closed"), "python3");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect(log_has("put off until the call"), "no hook of sqlite3_close");
}

/* Whether --check says that a wait in its module sqlite3 stops all threads of the root's Python. */
static bool check_says_all_stand_still(void)
{
    bool says_so = false;
    char line[1024];
    struct process p = PLAIN("scripts/settle", "--check", "--", in_root("/usr/bin/python3"));
    while (read_line(&p, line, sizeof line))
        says_so |= strstr(line, "this Python's sqlite3, apsw, pysqlite3") != NULL;
    finish(&p);
    return says_so;
}

/* Debian 11 has Python 3.9, where they do. */
Test(interpreters, pythons_other_threads_stand_still_during_a_wait_where_check_says_so)
{
    const unsigned held = 1000;
    const bool expected = check_says_all_stand_still();
    cr_expect_eq(expected, access(in_root("/usr/bin/python3.9"), X_OK) == 0);
    struct process p =
        SHIMMED(ENTER, "/usr/bin/python3", in_root("/settle/ticking.py"), world.primary);
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, held);
    send_line(&p, "close");
    const long silent = await_number(&p, "silent");
    released_at(&holder);
    cr_expect_eq(silent > held / 2, expected, "%ld ms of %u", silent, held);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect(log_has("File unlocked after polling"));

    p = SHIMMED_WITH(OPTIONS("--trigger", "use"), ENTER, "/usr/bin/python3",
                     in_root("/settle/ticking.py"), world.primary);
    await_line(&p, "open");
    holder = hold("posix", world.primary, held);
    send_line(&p, "close");
    cr_expect_lt(await_number(&p, "silent"), held / 2);
    released_at(&holder);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* Its .open closes what was open before. Debian 11's shell has SQLite inside, and is hooked at the
 * close of its file. */
Test(interpreters, the_sqlite3_shells_close_waits)
{
    struct process p = SHIMMED(ENTER, "/usr/bin/sqlite3", world.primary);
    send_line(&p, "create table t(a);\n.system echo open");
    await_line(&p, "open");
    struct process holder = hold("ofd", world.primary, 300);
    send_line(&p, ".open :memory:\n.system echo closed");
    expect_return_after(&holder, await_line(&p, "closed"), "the sqlite3 shell");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}
