/* Connections that sqlite3_close_v2 leaves behind, and closes that SQLite puts off. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(zombies, .init = world_begin, .fini = world_end, .timeout = 60);

static const char *const half_a_second[] = {"--max-wait", "500ms", NULL};

struct closed {
    int result;
    int ms;
};

/* Lets the program close, and end. */
static struct closed close_it(struct process *p)
{
    char line[64] = "";
    struct closed c = {-1, -1};
    send_line(p, "close");
    cr_assert_not_null(fgets(line, sizeof line, p->out));
    cr_assert_eq(sscanf(line, "closed %d %d", &c.result, &c.ms), 2, "%s", line);
    send_line(p, "end");
    cr_expect_eq(finish(p), 0, "%s", errors_of(p));
    return c;
}

static struct closed zombie(const char *mode, const char *ms)
{
    struct process p =
        SHIMMED_WITH(half_a_second, "build/programs/zombie", mode, world.primary, ms);
    await_line(&p, "open");
    return close_it(&p);
}

Test(zombies, one_that_another_thread_finalises_is_waited_for)
{
    struct closed c = zombie("other", "250");
    cr_expect_eq(c.result, 0);
    cr_expect_geq(c.ms, 150);
    cr_expect_lt(c.ms, 490);
    cr_expect_eq(log_waits(), 1, "and then its files, once");
}

Test(zombies, one_that_nobody_finalises_is_waited_for_no_longer_than_max_wait)
{
    struct closed c = zombie("never", "0");
    cr_expect_eq(c.result, 0);
    cr_expect_geq(c.ms, 490);
    cr_expect_lt(c.ms, 1500);
    cr_expect(log_has("still open in this process at the end of the wait"));
}

Test(zombies, a_fork_child_that_a_signal_handler_makes_during_the_wait_goes_on)
{
    struct closed c = zombie("forked", "0");
    cr_expect_eq(c.result, 0, "the child ended with %d", c.result);
    cr_expect_geq(c.ms, 490, "the parent waits on");
    cr_expect_eq(log_count("still open in this process"), 1);
}

Test(zombies, one_in_a_process_of_one_thread_is_named_and_not_waited_for)
{
    struct closed c = zombie("alone", "0");
    cr_expect_eq(c.result, 0);
    cr_expect_lt(c.ms, 400);
    cr_expect(log_has("no other thread could finalise them: not waited for"));
}

Test(zombies, one_beside_a_live_connection_is_no_close_of_the_store)
{
    struct closed c = zombie("two", "0");
    cr_expect_eq(c.result, 0);
    cr_expect_lt(c.ms, 400);
    cr_expect_eq(log_count("warning: "), 0);
}

Test(zombies, a_close_that_sqlite_refuses_is_none)
{
    struct closed c = zombie("v1", "0");
    cr_expect_eq(c.result, 5, "SQLITE_BUSY");
    cr_expect_lt(c.ms, 400);
    cr_expect_eq(log_count("warning: "), 0);
}

Test(zombies, a_close_that_sqlite_puts_off_is_none)
{
    struct closed c = zombie("deferred", "0");
    cr_expect_eq(c.result, 0);
    cr_expect_lt(c.ms, 400);
    cr_expect_eq(log_count("warning: "), 0);
}

Test(zombies, the_wait_for_the_holder_begins_with_the_close_and_not_with_the_finalising)
{
    struct process p =
        SHIMMED_WITH(half_a_second, "build/programs/zombie", "other", world.primary, "250");
    await_line(&p, "open");
    struct process holder = hold("posix-read", world.primary, 1500);
    struct closed c = close_it(&p);
    cr_expect_geq(c.ms, 490);
    cr_expect_lt(c.ms, 740, "one budget for both");
    cr_expect(log_has("still locked after 0.5"));
    released_at(&holder);
}

Test(zombies, a_descriptor_of_the_programs_own_is_none)
{
    struct process p = SHIMMED_WITH(half_a_second, "/usr/bin/python3", "-c",
                                    "import os, sqlite3, sys\n"
                                    "connection = sqlite3.connect(sys.argv[1])\n"
                                    "connection.execute('create table t(a)')\n"
                                    "fd = os.open(sys.argv[1], os.O_RDONLY)\n"
                                    "connection.close()\n",
                                    world.primary);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_count("warning: "), log_count("used while 1 handle of this process is open"));
    cr_expect_eq(log_waits(), 1, "nor does it keep the connection's close from being the last");
}
