/* SETTLE_UNTIL: closes that wait until nobody writes the store, or until nobody has it open. */
#include "host.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

TestSuite(levels, .init = world_begin, .fini = world_end, .timeout = 120);

static struct process stepper_until(const char *level, const char *max_wait)
{
    return SHIMMED_WITH(OPTIONS("--until", level, "--max-wait", max_wait),
                        "build/programs/stepper");
}

static void open_store(struct process *p, const char *handle)
{
    char command[PATH_MAX + 32];
    snprintf(command, sizeof command, "open %s - %s", handle, world.primary);
    cr_assert_geq(step(p, command).result, 0);
}

static void expect_wait(const char *level, const char *kind, bool waits)
{
    struct process p = stepper_until(level, "5");
    open_store(&p, "a");
    struct process holder = hold(kind, world.primary, 300);
    struct step s = step(&p, "close a");
    uint64_t closed = now_ns();
    uint64_t released = released_at(&holder);
    cr_expect_eq(s.result, 0);
    cr_expect_eq(s.error, 12345);
    if (waits) {
        cr_expect_geq(closed, released, "%s, %s", level, kind);
        cr_expect_lt(closed, released + PROMPTLY, "%s, %s", level, kind);
    } else {
        cr_expect_lt(closed, released, "%s, %s", level, kind);
    }
    cr_expect_eq(finish(&p), 0);
}

Test(levels, at_unlocked_an_open_file_is_no_reason_to_wait)
{
    expect_wait("unlocked", "open", false);
    expect_wait("unlocked", "writing", false);
    expect_wait("unlocked", "mapped", false);
}

Test(levels, at_unwritten_a_close_waits_for_those_who_can_write)
{
    expect_wait("unwritten", "writing", true);
    expect_wait("unwritten", "posix", true);
    expect_wait("unwritten", "open", false);
}

Test(levels, at_closed_a_close_waits_for_all_who_have_the_file_open)
{
    expect_wait("closed", "open", true);
    expect_wait("closed", "writing", true);
    expect_wait("closed", "mapped", true);
    expect_wait("closed", "flock-shared", true);
}

Test(levels, a_sidecar_that_is_open_counts_as_the_primary_does)
{
    const char *wal = in_dir("chroma.sqlite3-wal");
    FILE *file = fopen(wal, "w");
    cr_assert_not_null(file);
    fclose(file);
    struct process p = stepper_until("closed", "5");
    open_store(&p, "a");
    struct process holder = hold("open", wal, 300);
    step(&p, "close a");
    cr_expect_geq(now_ns(), released_at(&holder));
    finish(&p);
}

Test(levels, a_free_store_costs_one_probe_and_no_sleep)
{
    static const char *const names[] = {"unwritten", "closed"};
    for (size_t i = 0; i < 2; i++) {
        struct process p = stepper_until(names[i], "5");
        open_store(&p, "a");
        step(&p, "close a");
        finish(&p);
        cr_expect_eq(log_count("chroma.sqlite3 probes=1 sleeps=0 events=0"), i + 1);
    }
}

/* The last line of a wait that ran into its end, "" if there is none yet. */
static void last_time_out(char *line, size_t size)
{
    char next[4096];
    line[0] = '\0';
    FILE *log = fopen(world.log, "re");
    while (log != NULL && fgets(next, sizeof next, log) != NULL)
        if (strstr(next, "still locked after") != NULL)
            snprintf(line, size, "%s", next);
    if (log != NULL)
        fclose(log);
}

static void expect_named(const char *line, const char *hold, const struct process *holder)
{
    char expected[128];
    snprintf(expected, sizeof expected, "%s of pid %d (holder)", hold, (int)holder->pid);
    cr_expect_not_null(strstr(line, expected), "no '%s' in '%s'", expected, line);
}

Test(levels, all_holders_are_in_the_log_in_one_line)
{
    char line[4096];
    struct process writer = hold("posix", world.primary, 30000);
    struct process reader = hold("open", world.primary, 30000);
    struct process mapper = hold("mapped", world.primary, 30000);
    while (look_again()) {
        struct process p = stepper_until("closed", "200ms");
        open_store(&p, "a");
        step(&p, "close a");
        finish(&p);
    }
    last_time_out(line, sizeof line);
    expect_named(line, "held by POSIX write lock", &writer);
    cr_expect_not_null(strstr(line, " (holder); also "), "%s", line);
    expect_named(line, "open", &reader);
    expect_named(line, "mapped", &mapper);
    kill_now(&writer);
    kill_now(&reader);
    kill_now(&mapper);
}

/* The file is open by a raw system call, which the library does not see. */
Test(levels, another_handle_of_this_process_is_named_by_its_descriptor)
{
    char command[PATH_MAX + 32];
    char expected[128] = "";
    snprintf(command, sizeof command, "hiddenopen b - %s", world.primary);
    while (look_again()) {
        struct process p = stepper_until("closed", "200ms");
        open_store(&p, "a");
        long descriptor = step(&p, command).result;
        step(&p, "close a");
        snprintf(expected, sizeof expected,
                 "held by open for writing of pid %d (stepper, this process), descriptor %ld",
                 (int)p.pid, descriptor);
        finish(&p);
    }
    cr_expect(log_has(expected), "no '%s'", expected);
}

/* The kernel's answer about the file system is changed to FUSE's number. */
#define ON_ANOTHER_HOST                                                                            \
    "strace", "-f", "-o", "/dev/null", "-e", "trace=fstatfs", "-e",                                \
        "inject=fstatfs:poke_exit=@arg2=4655736500000000"
static const char only_here[] = "on a file system of another host, where only this host's opens";

Test(levels, that_only_this_hosts_opens_are_seen_is_said_once_of_a_file_system_of_another_host)
{
    static const char *const names[] = {"unlocked", "unwritten", "closed"};
    for (size_t i = 0; i < 3; i++) {
        struct process p =
            SHIMMED_WITH(OPTIONS("--until", names[i]), ON_ANOTHER_HOST, "build/programs/stepper");
        for (int times = 0; times < 3; times++) {
            open_store(&p, "a");
            step(&p, "close a");
        }
        cr_expect_eq(finish(&p), 0);
        cr_expect_eq(log_count(only_here), i, "%s", names[i]);
    }
    struct process p =
        PLAIN(ON_ANOTHER_HOST, "build/settle-wait", "--until", "closed", world.dir, world.primary);
    cr_expect_eq(finish(&p), 0);
    const char *said = strstr(errors_of(&p), only_here);
    cr_assert_not_null(said, "%s", errors_of(&p));
    cr_expect_null(strstr(said + 1, only_here), "%s", errors_of(&p));
}

#define AS_ANOTHER "setpriv", "--clear-groups", "--regid", ordinary_user, "--reuid", ordinary_user

/* The file is another user's, and one of that user's processes has it open. */
Test(levels, that_nobody_can_tell_is_said_and_costs_the_fixed_delay)
{
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: a process of another user needs root");
        return;
    }
    open_world();
    struct process p =
        SHIMMED_WITH(OPTIONS("--until", "closed", "--fallback-delay", "200ms", "--max-wait", "20"),
                     AS_ANOTHER, "build/programs/stepper");
    struct process holder = hold("open", world.primary, 30000);
    open_store(&p, "a");
    struct step s = step(&p, "close a");
    cr_expect_geq(s.took, 200 * (uint64_t)MS);
    cr_expect_lt(s.took, 10000 * (uint64_t)MS);
    static const char said[] = "cannot be examined (who has it open is not told: not the file's "
                               "owner, without CAP_LEASE, and not all processes may be looked "
                               "into), a fixed delay instead";
    cr_expect(log_has(said) || strstr(errors_of(&p), said) != NULL);
    cr_expect_eq(finish(&p), 0);
    p = PLAIN(AS_ANOTHER, "build/settle-wait", "--until", "closed", world.dir);
    cr_expect_eq(finish(&p), 3);
    cr_expect_not_null(strstr(errors_of(&p), "who has it open is not told"));
    kill_now(&holder);
}

/* SIGIO would end the program. It comes only to who opens within a microsecond: so both are busy.
 */
Test(levels, a_program_whose_store_is_opened_all_the_time_gets_no_signal)
{
    static const char *const names[] = {"unwritten", "closed"};
    for (size_t i = 0; i < 2; i++) {
        struct process opener =
            PLAIN("/usr/bin/python3", "-c",
                  "import os, sys\n"
                  "while True:\n"
                  "    try:\n"
                  "        os.close(os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK))\n"
                  "    except BlockingIOError:\n"
                  "        pass\n",
                  world.primary);
        char command[PATH_MAX + 32];
        struct process p = stepper_until(names[i], "5");
        snprintf(command, sizeof command, "thousand a - %s", world.primary);
        cr_expect_eq(step(&p, command).error, 12345);
        cr_expect_eq(finish(&p), 0);
        kill_now(&opener);
    }
}
