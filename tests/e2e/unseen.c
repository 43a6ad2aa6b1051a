/* Where the library cannot see what it goes by, it waits nevertheless or says so once. */
#include "user.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(unseen, .init = world_begin, .fini = world_end, .timeout = 120);

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
    cr_expect_lt(closed, released + PROMPTLY, "%s", what);
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

Test(unseen,
     a_plain_close_that_another_library_makes_directly_is_told_when_its_number_is_used_again)
{
    char preload[2 * PATH_MAX];
    char own[PATH_MAX];
    cr_assert_not_null(realpath("build/libsettle.so", own));
    snprintf(preload, sizeof preload, "LD_PRELOAD=build/libraries/past-closes.so %s", own);
    make_database(world.primary);
    struct process p = SHIMMED("env", preload, "build/programs/stepper");
    for (int i = 0; i < 3; i++) {
        cr_assert_geq(say(&p, "open A -", world.primary).result, 0);
        cr_assert_eq(step(&p, "close A").result, 0);
    }
    cr_expect_eq(log_count("chroma.sqlite3: was closed past this library"), 1);
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_count("was closed past this library"), 1);
}

Test(unseen, and_else_at_the_exit)
{
    char preload[2 * PATH_MAX];
    char own[PATH_MAX];
    cr_assert_not_null(realpath("build/libsettle.so", own));
    snprintf(preload, sizeof preload, "LD_PRELOAD=build/libraries/past-closes.so %s", own);
    make_database(world.primary);
    struct process p = SHIMMED("env", preload, "build/programs/stepper");
    cr_assert_geq(say(&p, "open A -", world.primary).result, 0);
    cr_assert_eq(step(&p, "close A").result, 0);
    cr_expect_eq(log_count("warning: "), 0);
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_count("chroma.sqlite3: was closed past this library"), 1);
}

Test(unseen, what_is_open_at_the_exit_was_not_closed_past_it)
{
    make_database(world.primary);
    struct process p = SHIMMED("build/programs/stepper");
    cr_assert_geq(say(&p, "open A -", world.primary).result, 0);
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_count("warning: "), 0);
}

/* --- programs that are started without it --- */

static void expect_start_without(const char *script, unsigned warnings)
{
    unsigned before = log_count("is started without this library");
    struct process p = SHIMMED("/bin/bash", "-c", script);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    unsigned said = log_count("is started without this library") - before;
    cr_expect_eq(said, warnings, "%s: %u", script, said);
}

/* As fiu-run does. */
Test(unseen, a_program_that_is_started_with_another_preload_list_is_named_once)
{
    expect_start_without("export LD_PRELOAD=build/libraries/past.so; exec /bin/true", 1);
    expect_start_without("LD_PRELOAD=build/libraries/past.so /bin/true; "
                         "LD_PRELOAD=build/libraries/past.so /bin/true; :",
                         1);
    expect_start_without("LD_PRELOAD=build/libraries/past.so:$LD_PRELOAD /bin/true; :", 0);
    expect_start_without("exec env -u LD_PRELOAD /bin/true", 0);
    struct process p = SHIMMED("/usr/bin/python3", "-c",
                               "import os\n"
                               "other = dict(os.environ, LD_PRELOAD='build/libraries/past.so')\n"
                               "for i in range(3):\n"
                               "    os.waitpid(os.posix_spawn('/bin/true', ['true'], other), 0)\n"
                               "os.execve('/bin/true', ['true'], other)");
    unsigned before = log_count("is started without this library");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_count("is started without this library"), before + 1);
}

/* --- locks that the kernel does not know --- */

#define DOTFILE "/usr/bin/python3", "tests/e2e/programs/database.py", "dotfile"

/* Another process is in a transaction by unix-dotfile; the close of p ends when that has ended. */
static void expect_wait_for_dotfile(struct process *p, const char *close)
{
    struct process other = PLAIN(DOTFILE, world.primary);
    await_line(&other, "held");
    send_line(&other, "");
    await_line(&other, "writing");
    send_line(p, close);
    await_threads(p, 2);
    sleep_ms(500);
    send_line(&other, "");
    uint64_t released = (uint64_t)await_number(&other, "released");
    await_line(p, "took");
    uint64_t closed = now_ns();
    cr_expect_geq(closed, released);
    cr_expect_lt(closed, released + PROMPTLY);
    cr_expect_eq(finish(&other), 0);
}

Test(unseen, a_transaction_by_dot_file_is_waited_for)
{
    make_database(world.primary);
    struct process p = SHIMMED("build/programs/connected", "close", world.primary);
    await_line(&p, "open");
    expect_wait_for_dotfile(&p, "close");
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_count("File unlocked after polling"), 1);
    cr_expect_eq(log_count("warning: "), 0);
}

Test(unseen, the_end_of_such_a_lock_is_an_event)
{
    make_database(world.primary);
    struct process p = SHIMMED_WITH(OPTIONS("--check-interval", "10", "--max-wait", "20"),
                                    "build/programs/connected", "close", world.primary);
    await_line(&p, "open");
    cr_assert_eq(mkdir(in_dir("chroma.sqlite3.lock"), 0755), 0);
    send_line(&p, "close");
    await_threads(&p, 2);
    sleep_ms(500);
    rmdir(in_dir("chroma.sqlite3.lock"));
    await_line(&p, "took");
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_count(" events=1"), 1);
}

Test(unseen, one_that_stays_is_named)
{
    make_database(world.primary);
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "0.3"), "build/programs/connected",
                                    "close", world.primary);
    await_line(&p, "open");
    cr_assert_eq(mkdir(in_dir("chroma.sqlite3.lock"), 0755), 0);
    send_line(&p, "close");
    cr_expect_geq(await_number(&p, "took"), 300);
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_count("held by dot-file lock that names no process on .lock"), 1);
    struct process asked = PLAIN("build/settle-wait", "--max-wait", "0.05", world.primary);
    cr_expect_eq(finish(&asked), 1);
    cr_expect_not_null(strstr(errors_of(&asked), "held by dot-file lock"), "%s", errors_of(&asked));
    rmdir(in_dir("chroma.sqlite3.lock"));
}

/* --- a use, beside connections of one's own by that VFS --- */

static struct process user_by_dotfile(void)
{
    struct process p = user();
    run(&p, "c = sqlite3.connect(f'file:{P}?vfs=unix-dotfile', uri=True, timeout=0)");
    expect(&p, "c.execute('create table t(a)'); c.commit()", "None");
    return p;
}

static void expect_use_waits_for_dotfile(struct process *p, const char *use)
{
    struct process other = PLAIN(DOTFILE, world.primary);
    await_line(&other, "held");
    send_line(&other, "");
    await_line(&other, "writing");
    send_line(p, use);
    cr_expect(!says(p, "", 500), "%s", use);
    send_line(&other, "");
    uint64_t released = (uint64_t)await_number(&other, "released");
    char line[600];
    cr_assert(read_line(p, line, sizeof line));
    uint64_t used = now_ns();
    cr_expect_geq(used, released, "%s", use);
    cr_expect_lt(used, released + PROMPTLY, "%s", use);
    cr_expect_null(strstr(line, ".lock"), "%s", line);
    cr_expect_eq(finish(&other), 0);
}

Test(unseen, a_use_beside_connections_waits_for_the_dot_file_of_another_process)
{
    struct process p = user_by_dotfile();
    expect_use_waits_for_dotfile(&p, "os.listdir(D)");
    user_ends(&p);
}

Test(unseen, so_does_one_after_the_close)
{
    struct process p = user_by_dotfile();
    run(&p, "c.close()");
    expect_use_waits_for_dotfile(&p, "os.listdir(D)");
    expect_use_waits_for_dotfile(&p, "f = open(P, 'rb')");
    user_ends(&p);
}

/* Nobody else would take it away. */
Test(unseen, and_for_none_of_its_own)
{
    struct process p = user_by_dotfile();
    run(&p, "c.execute('begin immediate')");
    expect_passes(&p, "os.listdir(D)");
    cr_expect_not_null(strstr(answer, ".lock"), "%s", answer);
    run(&p, "c.execute('insert into t values (1)'); c.commit()");
    expect_passes(&p, "os.listdir(D)");
    cr_expect_null(strstr(answer, ".lock"), "%s", answer);
    user_ends(&p);
}

/* Programs that lock by a file of that name often leave it. */
Test(unseen, a_file_of_that_name_is_none)
{
    make_database(world.primary);
    struct process p = SHIMMED("build/programs/connected", "close", world.primary);
    await_line(&p, "open");
    fclose(fopen(in_dir("chroma.sqlite3.lock"), "we"));
    send_line(&p, "close");
    cr_expect_lt(await_number(&p, "took"), 300);
    cr_expect_eq(finish(&p), 0);
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

static void expect_waits_after_fork(const char *way)
{
    struct process p = SHIMMED("build/programs/connected", way, world.primary);
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 700);
    send_line(&p, "close");
    await_line(&p, "took");
    uint64_t closed = now_ns();
    uint64_t released = released_at(&holder);
    cr_expect_geq(closed, released, "%s", way);
    cr_expect_lt(closed, released + PROMPTLY, "%s", way);
    finish(&p);
}

Test(unseen, a_connection_opened_before_a_daemon_was_forked_is_waited_for)
{
    make_database(world.primary);
    expect_waits_after_fork("daemon");
    expect_waits_after_fork("leaving");
}

Test(unseen, a_connection_whose_parent_lives_is_the_parents)
{
    static const char *const ways[] = {"child", "session"};
    make_database(world.primary);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process p = SHIMMED("build/programs/connected", ways[i], world.primary);
        await_line(&p, "open");
        struct process holder = hold("posix", world.primary, 3000);
        send_line(&p, "close");
        cr_expect_lt(await_number(&p, "took"), 300, "%s", ways[i]);
        cr_expect_eq(finish(&p), 0);
        kill(holder.pid, SIGKILL);
        finish(&holder);
    }
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
