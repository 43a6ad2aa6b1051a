/* settle-wait. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(outside, .init = world_begin, .fini = world_end, .timeout = 120);

#define WAIT "build/settle-wait"

Test(outside, a_free_store_or_file_is_settled_at_once)
{
    struct process p = PLAIN(WAIT, world.dir);
    cr_expect_eq(finish(&p), 0);
    p = PLAIN(WAIT, world.primary, world.dir);
    cr_expect_eq(finish(&p), 0);
    cr_expect_str_eq(errors_of(&p), "");
}

Test(outside, a_held_store_is_waited_for)
{
    struct process holder = hold("ofd", world.primary, 300);
    struct process p = PLAIN(WAIT, world.dir);
    cr_expect_eq(finish(&p), 0);
    uint64_t ended = now_ns();
    uint64_t released = released_at(&holder);
    cr_expect_geq(ended, released);
    cr_expect_lt(ended, released + 250 * (uint64_t)MS);
}

Test(outside, a_store_that_stays_held_is_exit_1_with_the_holder)
{
    char expected[64];
    struct process holder = hold("posix", world.primary, 1000);
    struct process p = PLAIN(WAIT, "--max-wait", "200ms", world.dir);
    cr_expect_eq(finish(&p), 1);
    snprintf(expected, sizeof expected, "held by POSIX write lock of pid %d (holder)",
             (int)holder.pid);
    cr_expect_not_null(strstr(errors_of(&p), expected), "%s", errors_of(&p));
    released_at(&holder);
}

Test(outside, several_paths_share_one_deadline)
{
    struct process holder = hold("posix", world.primary, 2000);
    uint64_t began = now_ns();
    struct process p = PLAIN(WAIT, "--max-wait", "400ms", world.dir, world.primary, world.dir);
    cr_expect_eq(finish(&p), 1);
    cr_expect_lt(now_ns() - began, 1000 * (uint64_t)MS);
    released_at(&holder);
}

Test(outside, a_path_that_cannot_be_examined_keeps_no_other_from_being_waited_for)
{
    struct process holder = hold("posix", world.primary, 300);
    struct process p = PLAIN(WAIT, "/nonexistent", world.dir);
    cr_expect_eq(finish(&p), 3);
    cr_expect_geq(now_ns(), released_at(&holder));
}

static void expect_error(struct process p, int status, const char *message)
{
    cr_expect_eq(finish(&p), status, "%s", message);
    cr_expect_not_null(strstr(errors_of(&p), message), "no '%s' in: %s", message, errors_of(&p));
}

Test(outside, wrong_usage_is_exit_2_with_a_message_that_names_it)
{
    expect_error(PLAIN(WAIT), 2, "no path given");
    expect_error(PLAIN(WAIT, ""), 2, "settle-wait: '': expected a path\n");
    expect_error(PLAIN(WAIT, "--soon", world.dir), 2, "settle-wait: unknown option '--soon'; see");
    expect_error(PLAIN(WAIT, "-qx", world.dir), 2, "settle-wait: unknown option '-q'; see");
    expect_error(PLAIN(WAIT, "--json=1", world.dir), 2, "'--json=1': expected no value\n");
    expect_error(PLAIN(WAIT, world.dir, "--max-hold"), 2,
                 "settle-wait: --max-hold='': expected seconds such as 2.0");
    expect_error(PLAIN(WAIT, world.dir, "--until"), 2, "--until='': expected unlocked, unwritten");
    expect_error(PLAIN(WAIT, "--max-wait", "soon", world.dir), 2,
                 "--max-wait='soon': expected seconds such as 2.0 or 500ms, from 0 to 86400\n");
    expect_error(PLAIN(WAIT, "--until", "never", world.dir), 2,
                 "--until='never': expected unlocked, unwritten or closed\n");
}

Test(outside, what_cannot_be_examined_is_exit_3)
{
    expect_error(PLAIN(WAIT, "/nonexistent"), 3, "/nonexistent: No such file or directory");
    cr_assert_eq(mkdir(in_dir("empty"), 0755), 0);
    expect_error(PLAIN(WAIT, in_dir("empty")), 3, "no store is recognised in this directory");
    cr_assert_eq(mkfifo(in_dir("fifo"), 0644), 0);
    expect_error(PLAIN(WAIT, in_dir("fifo")), 3, "not a regular file");
}

Test(outside, help_and_version_go_to_standard_output)
{
    struct process p = PLAIN(WAIT, "--version");
    await_line(&p, "settle-wait 0.");
    cr_expect_eq(finish(&p), 0);
    p = PLAIN(WAIT, "--help");
    await_line(&p, "Usage: settle-wait");
    cr_expect_eq(finish(&p), 0);
    p = PLAIN("sh", "-c", "! " WAIT " --help | grep -E '.{81}'");
    cr_expect_eq(finish(&p), 0, "--help fits into 80 columns");
}
