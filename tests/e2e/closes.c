/* Real programs close their store while somebody holds it. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <signal.h>

TestSuite(closes, .init = world_begin, .fini = world_end, .timeout = 120);

/* Each speaks the same: "open", then a line on its input, then the close, then "closed". */
static const struct closer {
    const char *name;
    const char *command[3];
} closers[] = {
    {"python3", {"/usr/bin/python3", "tests/e2e/programs/closer.py"}},
    {"Perl DBD::SQLite", {"/usr/bin/perl", "tests/e2e/programs/closer.pl"}},
    {"Tcl", {"/usr/bin/tclsh", "tests/e2e/programs/closer.tcl"}},
};

static struct process start(const struct closer *closer)
{
    return SHIMMED(closer->command[0], closer->command[1], world.primary);
}

/* The close of a program that is open, with a lock held for 300 ms from before it. */
static void expect_wait_of(struct process *p, const char *kind, const char *name)
{
    struct process holder = hold(kind, world.primary, 300);
    send_line(p, "close");
    uint64_t closed = await_line(p, "closed");
    uint64_t released = released_at(&holder);
    cr_expect_geq(closed, released, "%s, %s: closed %llu us before the release", name, kind,
                  (unsigned long long)(released - closed) / 1000);
    cr_expect_lt(closed, released + PROMPTLY, "%s, %s: closed %llu ms after the release", name,
                 kind, (unsigned long long)(closed - released) / MS);
    cr_expect(log_has("File unlocked after polling"), "%s, %s", name, kind);
}

Test(closes, of_interpreters_return_right_after_the_release_and_never_before)
{
    for (size_t i = 0; i < sizeof closers / sizeof closers[0]; i++) {
        struct process p = start(&closers[i]);
        await_line(&p, "open");
        expect_wait_of(&p, "posix", closers[i].name);
        cr_expect_eq(finish(&p), 0, "%s: %s", closers[i].name, errors_of(&p));
    }
    cr_expect_eq(log_count("File unlocked after polling"), 3);
}

Test(closes, wait_for_each_kind_of_lock)
{
    static const char *const kinds[] = {"posix", "posix-read", "ofd", "flock", "flock-shared"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct process p = start(&closers[0]);
        await_line(&p, "open");
        expect_wait_of(&p, kinds[i], "python3");
        cr_expect_eq(finish(&p), 0);
    }
}

/* The shell's .open closes what was open before; .system writes past the shell's own buffer. */
static void expect_shell_waits(const char *kind)
{
    struct process p = SHIMMED("/usr/bin/sqlite3", world.primary);
    send_line(&p, "create table if not exists t(a);\n.system echo open");
    await_line(&p, "open");
    struct process holder = hold(kind, world.primary, 300);
    send_line(&p, ".open :memory:\n.system echo closed");
    uint64_t closed = await_line(&p, "closed");
    uint64_t released = released_at(&holder);
    cr_expect_geq(closed, released, "%s", kind);
    cr_expect_lt(closed, released + PROMPTLY, "%s", kind);
    cr_expect_eq(finish(&p), 0);
}

Test(closes, of_the_sqlite3_shell_wait)
{
    expect_shell_waits("posix");
    expect_shell_waits("ofd");
    expect_shell_waits("flock");
    cr_expect_eq(log_count("put off until the call"), 3);
    cr_expect_eq(log_count("File unlocked after polling"), 3);
}

static void expect_step_waits(const char *open, const char *close, const char *kind)
{
    char command[PATH_MAX + 32];
    struct process p = SHIMMED("build/programs/stepper");
    snprintf(command, sizeof command, "%s a - %s", open, world.primary);
    cr_assert_geq(step(&p, command).result, 0);
    struct process holder = hold(kind, world.primary, 300);
    struct step s = step(&p, close);
    uint64_t closed = now_ns();
    uint64_t released = released_at(&holder);
    cr_expect_eq(s.result, 0);
    cr_expect_eq(s.error, 12345, "%s changed errno to %d", close, s.error);
    cr_expect_geq(closed, released, "%s, %s", close, kind);
    cr_expect_lt(closed, released + PROMPTLY, "%s, %s", close, kind);
    cr_expect_eq(finish(&p), 0);
}

Test(closes, of_plain_c_programs_wait)
{
    static const char *const kinds[] = {"posix", "ofd", "flock"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        expect_step_waits("open", "close a", kinds[i]);
        expect_step_waits("fopen", "fclose a", kinds[i]);
    }
    expect_step_waits("open", "rawclose a", "posix");
    expect_step_waits("open", "closefrom a", "posix");
    expect_step_waits("creat", "close a", "posix");
}

Test(closes, stop_waiting_at_max_wait_with_a_warning_that_names_the_holder)
{
    char command[PATH_MAX + 32];
    char text[64];
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "0.5"), "build/programs/stepper");
    struct process holder = hold("posix", world.primary, 10000);
    snprintf(command, sizeof command, "open a - %s", world.primary);
    step(&p, command);
    struct step s = step(&p, "close a");
    cr_expect_eq(s.result, 0);
    cr_expect_eq(s.error, 12345);
    cr_expect_geq(s.took, 500 * (uint64_t)MS);
    cr_expect_lt(s.took, 1000 * (uint64_t)MS);
    cr_expect_eq(log_count("still locked after"), 1);
    snprintf(text, sizeof text, "held by POSIX write lock of pid %d (holder)", (int)holder.pid);
    cr_expect(log_has(text), "no '%s'", text);
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(kill(holder.pid, SIGKILL), 0);
    finish(&holder);
}

Test(closes, name_the_holder_of_a_flock)
{
    char command[PATH_MAX + 32];
    char text[64];
    struct process holder = hold("flock", world.primary, 30000);
    snprintf(command, sizeof command, "open a - %s", world.primary);
    while (look_again()) {
        struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "200ms"), "build/programs/stepper");
        step(&p, command);
        step(&p, "close a");
        finish(&p);
    }
    snprintf(text, sizeof text, "held by flock of pid %d (holder)", (int)holder.pid);
    cr_expect(log_has(text), "no '%s'", text);
    kill(holder.pid, SIGKILL);
    finish(&holder);
}

Test(closes, with_nobody_holding_probe_once_and_never_sleep)
{
    for (size_t i = 0; i < sizeof closers / sizeof closers[0]; i++) {
        struct process p = start(&closers[i]);
        await_line(&p, "open");
        send_line(&p, "close");
        await_line(&p, "closed");
        cr_expect_eq(finish(&p), 0);
    }
    cr_expect_eq(log_waits(), 3);
    cr_expect_eq(log_count("chroma.sqlite3 probes=1 sleeps=0 events=0"), 3);
}

Test(closes, find_the_real_function_of_each_program_and_wait_after_it)
{
    for (size_t i = 0; i < sizeof closers / sizeof closers[0]; i++) {
        unsigned before = log_count("libsqlite3.so.0");
        struct process p = start(&closers[i]);
        await_line(&p, "open");
        send_line(&p, "close");
        await_line(&p, "closed");
        cr_expect_eq(finish(&p), 0);
        cr_expect_gt(log_count("libsqlite3.so.0"), before, "%s", closers[i].name);
        cr_expect(!log_has("(nowhere)"), "%s", closers[i].name);
        cr_expect_eq(log_count("put off until the call"), i + 1, "%s", closers[i].name);
    }
}

Test(closes, of_the_shim_itself_are_invisible_to_it)
{
    char command[PATH_MAX + 32];
    struct process p = SHIMMED("build/programs/stepper");
    snprintf(command, sizeof command, "thousand a - %s", world.primary);
    cr_expect_lt(step(&p, command).result, 20); /* a busy machine is late now and then */
    cr_expect_eq(log_count("probes=1 sleeps=0"), 1000);
    snprintf(command, sizeof command, "open a - %s", world.primary);
    step(&p, command);
    struct process holder = hold("posix", world.primary, 300);
    cr_expect_geq(step(&p, "close a").took, 200 * (uint64_t)MS);
    cr_expect_eq(log_count("File unlocked after polling"), 1);
    released_at(&holder);
    finish(&p);
}

Test(closes, see_the_locks_of_this_process_too)
{
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "200ms"), "/usr/bin/python3", "-c",
                                    "import ctypes, fcntl, os, sys, struct\n"
                                    "libc = ctypes.CDLL(None)\n"
                                    "path = sys.argv[1].encode()\n"
                                    "other = libc.syscall(257, -100, path, 2, 0)\n" /* openat */
                                    "lock = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 1, 0)\n"
                                    "fcntl.fcntl(other, 37, lock)\n" /* F_OFD_SETLK */
                                    "os.close(os.open(path, os.O_RDWR))\n"
                                    "print('closed', flush=True)\n",
                                    world.primary);
    await_line(&p, "closed");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect(log_has("held by OFD lock"));
}
