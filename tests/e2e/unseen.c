/* Where the library cannot see what it goes by, it waits nevertheless or says so once. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

TestSuite(unseen, .init = world_begin, .fini = world_end, .timeout = 120);

static const uint64_t soon = 400 * (uint64_t)MS; /* room for a busy machine */

static void make_database(const char *path)
{
    char command[PATH_MAX + 64];
    snprintf(command, sizeof command, "sqlite3 '%s' 'create table t(a)'", path);
    cr_assert_eq(system(command), 0);
}

/* The close of p returns when a lock is released that is held for 500 ms. */
static void expect_wait(struct process *p, const char *path, const char *what)
{
    await_line(p, "open");
    struct process holder = hold("posix", path, 500);
    send_line(p, "close");
    await_line(p, "took");
    uint64_t closed = now_ns();
    uint64_t released = released_at(&holder);
    cr_expect_geq(closed, released, "%s", what);
    cr_expect_lt(closed, released + soon, "%s", what);
}

/* --- another preloaded library goes past this one --- */

#define PAST "past this library, by another one that is before it in LD_PRELOAD"

static void expect_wait_past(const char *library, const char *said)
{
    char preload[2 * PATH_MAX];
    char own[PATH_MAX];
    cr_assert_not_null(realpath("build/libsettle.so", own));
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s %s", library, own);
    make_database(world.primary);
    struct process p = SHIMMED("env", preload, "build/programs/connected", "close", world.primary);
    expect_wait(&p, world.primary, library);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_count(PAST), 1, "%s", library);
    cr_expect_eq(log_count(said), 1, "%s", library);
}

Test(unseen, a_close_that_another_library_makes_directly_is_waited_for_and_told)
{
    expect_wait_past("build/libraries/past-closes.so", "SQLite's files are closed " PAST);
}

Test(unseen, an_open_that_another_library_makes_directly_is_waited_for_and_told)
{
    expect_wait_past("build/libraries/past-opens.so", "SQLite's files are opened " PAST);
}

/* --- encrypted databases: any content will do, since who opens it reads it --- */

Test(unseen, a_database_whose_content_does_not_tell_is_known_by_sqlite3_open)
{
    char command[PATH_MAX + 64];
    const char *path = in_dir("secret.db");
    snprintf(command, sizeof command, "head -c 8192 /dev/urandom > '%s'", path);
    cr_assert_eq(system(command), 0);
    struct process p =
        SHIMMED_WITH(OPTIONS("--stores", "sqlite"), "build/programs/connected", "close", path);
    expect_wait(&p, path, "encrypted");
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_count("warning: "), 0);
    cr_expect_eq(log_waits(), 1);
}

Test(unseen, one_that_is_no_store_of_those_asked_for_is_not)
{
    const char *path = in_dir("other.db");
    make_database(path);
    struct process p = SHIMMED("build/programs/connected", "close", path);
    await_line(&p, "open");
    struct process holder = hold("posix", path, 3000);
    send_line(&p, "close");
    cr_expect_lt(await_number(&p, "took"), 300);
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_waits(), 0);
    kill(holder.pid, SIGKILL);
    finish(&holder);
}

/* --- a fork between open and close --- */

Test(unseen, a_connection_opened_before_a_daemon_was_forked_is_waited_for)
{
    make_database(world.primary);
    struct process p = SHIMMED("build/programs/connected", "daemon", world.primary);
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 700);
    send_line(&p, "close");
    await_line(&p, "took");
    uint64_t closed = now_ns();
    uint64_t released = released_at(&holder);
    cr_expect_geq(closed, released);
    cr_expect_lt(closed, released + soon);
    finish(&p);
}

Test(unseen, a_connection_whose_parent_lives_is_the_parents)
{
    make_database(world.primary);
    struct process p = SHIMMED("build/programs/connected", "child", world.primary);
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 3000);
    send_line(&p, "close");
    cr_expect_lt(await_number(&p, "took"), 300);
    cr_expect_eq(finish(&p), 0);
    kill(holder.pid, SIGKILL);
    finish(&holder);
}

/* --- ways to end --- */

Test(unseen, quick_exit_waits_for_a_close_on_another_thread_as_exit_does)
{
    static const char *const ways[] = {"exit", "quick_exit"};
    make_database(world.primary);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process p = SHIMMED("build/programs/connected", ways[i], world.primary);
        await_line(&p, "open");
        struct process holder = hold("posix", world.primary, 600);
        send_line(&p, "close");
        cr_expect_eq(finish(&p), 7, "%s", ways[i]);
        uint64_t ended = now_ns();
        cr_expect_geq(ended, released_at(&holder), "%s", ways[i]);
    }
}
