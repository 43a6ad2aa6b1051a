/* What is loaded, opened and closed before, beside and after the library. */
#include "host.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

TestSuite(early_late, .init = world_begin, .fini = world_end, .timeout = 300);

static void expect_of_all_hosts(const struct around *around, enum effect effect)
{
    for (int i = 0; i < HOSTS; i++)
        expect_same_result(&hosts[i], around, effect, NULL);
}

#define PRELOADED(list) (&(const struct around){.preload = (list)})

/* --- before the constructor and after the destructor --- */

Test(early_late, closes_of_a_library_that_begins_before_and_ends_after)
{
    expect_of_all_hosts(PRELOADED("%s:build/libraries/early.so"), WAITS);
}

Test(early_late, closes_of_a_library_that_begins_after_and_ends_before)
{
    expect_of_all_hosts(PRELOADED("build/libraries/early.so:%s"), WAITS);
}

Test(early_late, closes_of_a_library_that_begins_first_of_all)
{
    expect_of_all_hosts(PRELOADED("%s:build/libraries/early-first.so"), WAITS);
    expect_of_all_hosts(PRELOADED("build/libraries/early-first.so:%s"), WAITS);
}

Test(early_late, closes_of_a_program_before_all_constructors)
{
    expect_same_result(C_HOST("build/programs/preinit"), PRELOADED(NULL), WAITS, NULL);
}

/* Here only the library closes the store. */
Test(early_late, a_close_in_a_librarys_destructor_waits)
{
    static const char *const lists[] = {"%s:build/libraries/early.so",
                                        "build/libraries/early.so:%s"};
    static const char *const wrappers[] = {"EARLY_NOTHING=1", "EARLY_KEEPS=1"};
    const struct host *host = PYTHON_HOST("-c", "print('open', flush=True); input()");
    for (int i = 0; i < 4; i++)
        expect_same_result(host,
                           &(const struct around){.wrapper = OPTIONS("env", wrappers[i / 2]),
                                                  .preload = lists[i % 2]},
                           WAITS, NULL);
}

Test(early_late, closes_after_main_wait)
{
    expect_same_result(C_HOST("build/programs/late", "atexit"), PRELOADED(NULL), WAITS, NULL);
    expect_same_result(C_HOST("build/programs/late", "quick"), PRELOADED(NULL), WAITS, NULL);
    expect_same_result(C_HOST("build/programs/late", "destructor"), PRELOADED(NULL), WAITS, NULL);
}

/* --- other preloaded libraries --- */

/* The counter prints how often the real functions were called, or the library's. */
Test(early_late, each_real_function_is_called_as_often_as_without_the_library)
{
    expect_of_all_hosts(PRELOADED("%s:build/libraries/counter.so"), WAITS);
    expect_of_all_hosts(PRELOADED("build/libraries/counter.so:%s"), WAITS);
}

/* Nor does one that is made of syscall() call ours, which calls its own, without end. */
Test(early_late, another_preloaded_library_may_be_made_of_system_calls)
{
    expect_of_all_hosts(PRELOADED("%s:build/libraries/numbers.so"), WAITS);
    expect_of_all_hosts(PRELOADED("build/libraries/numbers.so:%s"), WAITS);
    const struct host *names_itself =
        PYTHON_HOST("-c", "import ctypes, sqlite3, sys\n"
                          "assert ctypes.CDLL(None).prctl(15, b'renamed', 0, 0, 0) == 0\n"
                          "connection = sqlite3.connect(sys.argv[1])\n"
                          "connection.execute('create table if not exists t(a)')\n"
                          "connection.commit()\n"
                          "print('open', flush=True)\n"
                          "sys.stdin.readline()\n"
                          "connection.close()\n"
                          "print('closed', flush=True)\n");
    expect_same_result(names_itself, PRELOADED("build/libraries/numbers.so:%s"), WAITS, NULL);
}

static void expect_beside(const char *name, const char *file, const char *const *wrapper)
{
    char before[128];
    char after[128];
    snprintf(before, sizeof before, "%s:%%s", file);
    snprintf(after, sizeof after, "%%s:%s", file);
    const struct host *host = PYTHON_HOST("tests/e2e/programs/witness.py", name);
    expect_same_result(host, &(const struct around){.wrapper = wrapper, .preload = before}, WAITS,
                       NULL);
    expect_same_result(host, &(const struct around){.wrapper = wrapper, .preload = after}, WAITS,
                       NULL);
}

Test(early_late, libeatmydata_before_and_after)
{
    expect_beside("libeatmydata", "libeatmydata.so", OPTIONS("env"));
}

/* Its clock begins in another year and is fifty times too fast. */
Test(early_late, libfaketime_before_and_after)
{
    expect_beside("libfaketime", "/usr/$LIB/faketime/libfaketime.so.1",
                  OPTIONS("env", "FAKETIME=@2001-02-03 04:05:06 x50"));
}

Test(early_late, fakeroot_before_and_after)
{
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: a process of another user needs root");
        return;
    }
    open_world();
    expect_beside("libfakeroot", "libfakeroot-sysv.so",
                  OPTIONS("setpriv", "--clear-groups", "--regid", ordinary_user, "--reuid",
                          ordinary_user, "fakeroot", "--"));
}

/* --- SQLite, in modules and in several copies --- */

#define MODULE(name) "build/libraries/connection" name ".so"

Test(early_late, a_module_that_is_unloaded_and_loaded_again_closes_by_its_new_sqlite)
{
    expect_same_result(C_HOST("build/programs/modules", "reload", MODULE("")), PRELOADED(NULL),
                       WAITS, NULL);
    expect_same_result(C_HOST("build/programs/modules", "reload", MODULE("-copy")), PRELOADED(NULL),
                       WAITS, NULL);
}

Test(early_late, a_connection_whose_close_was_not_seen_is_forgotten_with_its_sqlite)
{
    expect_same_result(C_HOST("build/programs/modules", "unseen", MODULE("")), PRELOADED(NULL),
                       WAITS, NULL);
}

Test(early_late, of_two_sqlites_each_closes_its_own_connections)
{
    expect_same_result(C_HOST("build/programs/modules", "both", MODULE(""), MODULE("-copy")),
                       PRELOADED(NULL), WAITS, NULL);
    expect_same_result(C_HOST("build/programs/modules", "both", MODULE("-copy"), MODULE("")),
                       PRELOADED(NULL), WAITS, NULL);
}

/* It has no sqlite3_db_filename, and libsqlite3 has. */
Test(early_late, an_sqlite_that_lacks_a_function_is_not_given_that_of_another)
{
    expect_same_result(C_HOST("build/programs/modules", "both", MODULE(""), MODULE("-picky")),
                       PRELOADED(NULL), WAITS, NULL);
}

Test(early_late, modules_are_there_that_make_tail_calls)
{
    struct process p =
        PLAIN("sh", "-c",
              "for module; do objdump -d --no-show-raw-insn \"$module\" | "
              "grep -A3 '<module_close>:' | grep -E '\\s(jmp|b)\\s.*<sqlite3_close_v2@plt>' || "
              "exit 1; done",
              "sh", MODULE("-tail"), MODULE("-copy-tail"));
    cr_expect_eq(result_of(&p).status, 0, "%s", errors_of(&p));
}

Test(early_late, a_tail_call_reaches_the_only_sqlite)
{
    expect_same_result(C_HOST("build/programs/modules", "reload", MODULE("-tail")), PRELOADED(NULL),
                       WAITS, NULL);
}

Test(early_late, a_tail_call_reaches_the_only_sqlite_of_whatever_name)
{
    expect_same_result(C_HOST("build/programs/modules", "reload", MODULE("-copy-tail")),
                       PRELOADED(NULL), WAITS, NULL);
}

Test(early_late, a_tail_call_reaches_the_sqlite_of_its_module)
{
    expect_same_result(
        C_HOST("build/programs/modules", "both", MODULE("-tail"), MODULE("-copy-tail")),
        PRELOADED(NULL), WAITS, NULL);
}

/* The dynamic linker looks in what is loaded for all before it looks in what a module brings. */
Test(early_late, a_module_opens_and_closes_by_the_sqlite_of_its_other_calls)
{
    const struct host *host = C_HOST("build/programs/modules", "reload", MODULE("-picky"));
    expect_same_result(host, PRELOADED(NULL), WAITS, NULL);
    expect_same_result(host, PRELOADED("%s:build/libraries/picky.so"), WAITS, NULL);
}

static void expect_equal_runs(const char *program)
{
    struct process plain = PLAIN(program);
    struct process shimmed = PLAIN("env", preload(NULL, library_path()), program);
    struct result expected = result_of(&plain);
    struct result got = result_of(&shimmed);
    cr_expect_eq(expected.status, 7, "%s: %s", program, expected.err);
    expect_equal(program, &expected, &got);
    cr_expect_str_eq(got.said, "");
}

Test(early_late, no_connection_can_be_closed)
{
    expect_equal_runs("build/programs/null_close");
}

Test(early_late, functions_that_only_have_sqlites_names_are_called)
{
    expect_equal_runs("build/programs/namesake");
}

/* The kernel tells what is no address; nothing of the program's is read before. */
Test(early_late, what_is_no_address_is_an_error_as_ever)
{
    struct process plain = PLAIN("build/programs/addresses", world.primary);
    struct process shimmed =
        PLAIN("env", preload(NULL, library_path()), "build/programs/addresses", world.primary);
    struct result expected = result_of(&plain);
    struct result got = result_of(&shimmed);
    cr_expect_eq(expected.status, 7, "%s", expected.err);
    expect_equal("addresses", &expected, &got);
}
