/* settle.h: from C, C++ and Python. The programs are linked with what `make install` installs. */
#include "e2e.h"
#include "host.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(api, .init = world_begin, .fini = world_end, .timeout = 120);

#define LINKED "build/api/linked"
#define PYTHON "/usr/bin/python3", "tests/e2e/api/waits.py"

static const double soon = 0.25; /* s: room for a busy machine */

struct answer {
    int settled;
    int error;
    double elapsed;
    int saved_errno; /* of linked only */
};

static struct answer read_answer(struct process *p)
{
    char line[128];
    struct answer a = {.saved_errno = 0};
    cr_assert(read_line(p, line, sizeof line), "%s", errors_of(p));
    cr_assert_geq(sscanf(line, "%d %d %lf %d", &a.settled, &a.error, &a.elapsed, &a.saved_errno), 3,
                  "%s", line);
    return a;
}

static struct answer ask(const char *mode, const char *path, const char *max_wait,
                         const char *check_interval)
{
    struct process p = PLAIN(LINKED, mode, path, max_wait, check_interval);
    struct answer a = read_answer(&p);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(a.saved_errno, EXDEV, "errno became %d", a.saved_errno);
    return a;
}

static void make_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void expect_settled(struct answer a, const char *what)
{
    cr_expect_eq(a.settled, 1, "%s: error %d", what, a.error);
    cr_expect_eq(a.error, 0, "%s: error %d", what, a.error);
}

static void expect_held_for(struct answer a, double seconds, const char *what)
{
    cr_expect_eq(a.settled, 0, "%s", what);
    cr_expect_eq(a.error, 0, "%s: error %d", what, a.error);
    cr_expect_geq(a.elapsed, seconds, "%s", what);
    cr_expect_lt(a.elapsed, seconds + soon, "%s", what);
}

/* --- what they answer --- */

Test(api, a_free_file_or_store_is_settled_at_once)
{
    struct answer file = ask("file", world.primary, "10", "1");
    struct answer store = ask("store", world.dir, "10", "-1");
    expect_settled(file, "file");
    expect_settled(store, "store");
    cr_expect_lt(file.elapsed, soon);
    cr_expect_lt(store.elapsed, soon);
    cr_expect_gt(file.elapsed, 0);
}

Test(api, a_held_file_or_store_is_waited_for)
{
    static const char *const kinds[] = {"posix", "ofd", "flock"};
    for (int i = 0; i < 6; i++) {
        struct process holder = hold(kinds[i / 2], world.primary, 400);
        struct answer a = i % 2 == 0 ? ask("file", world.primary, "10", "0.05")
                                     : ask("store", world.dir, "10", "-1");
        uint64_t now = now_ns();
        expect_settled(a, kinds[i / 2]);
        cr_expect_geq(now, released_at(&holder), "%s", kinds[i / 2]);
        cr_expect_gt(a.elapsed, 0.1);
    }
}

Test(api, what_stays_held_is_not_settled_when_the_time_is_past_and_the_log_names_the_holder)
{
    char expected[128];
    struct process holder = hold("posix", world.primary, 30000);
    expect_held_for(ask("file", world.primary, "0.3", "0.05"), 0.3, "file");
    expect_held_for(ask("store", world.dir, "0.3", "-1"), 0.3, "store");
    expect_held_for(ask("file", world.primary, "0", "0.05"), 0, "one look");
    struct process p = PLAIN(LINKED, "file", world.primary, "0", "-1");
    cr_expect_eq(finish(&p), 0);
    snprintf(expected, sizeof expected, "held by POSIX write lock of pid %d (holder)",
             (int)holder.pid);
    cr_expect_not_null(strstr(errors_of(&p), expected), "%s", errors_of(&p));
    kill_now(&holder);
}

Test(api, sidecars_count_and_index_files_do_not)
{
    make_file(in_dir("chroma.sqlite3-wal"));
    struct process holder = hold("posix", in_dir("chroma.sqlite3-wal"), 30000);
    expect_held_for(ask("store", world.dir, "0.3", "-1"), 0.3, "store");
    expect_held_for(ask("file", world.primary, "0.3", "-1"), 0.3, "file");
    kill_now(&holder);

    cr_assert_eq(mkdir(in_dir("collection"), 0755), 0);
    make_file(in_dir("collection/header.bin"));
    holder = hold("posix", in_dir("collection/header.bin"), 30000);
    struct answer a = ask("store", world.dir, "0.3", "-1");
    expect_settled(a, "store with an index file");
    cr_expect_geq(a.elapsed, 0.3, "it is waited for with what is left");
    expect_held_for(ask("file", in_dir("collection/header.bin"), "0.3", "-1"), 0.3, "asked for");
    kill_now(&holder);
}

Test(api, what_cannot_be_answered_is_an_error_with_its_reason)
{
    char long_path[PATH_MAX + 1];
    memset(long_path, '/', PATH_MAX);
    long_path[PATH_MAX] = '\0';
    cr_assert_eq(mkdir(in_dir("empty"), 0755), 0);
    cr_assert_eq(mkfifo(in_dir("fifo"), 0644), 0);
    const struct {
        const char *mode, *path, *max_wait, *check_interval;
        int error;
    } cases[] = {
        {"file", "NULL", "1", "1", EINVAL},
        {"store", "NULL", "1", "1", EINVAL},
        {"file", world.primary, "nan", "1", EINVAL},
        {"file", world.primary, "1", "nan", EINVAL},
        {"file", world.primary, "inf", "1", EINVAL},
        {"file", world.primary, "1", "86401", EINVAL},
        {"store", world.dir, "nan", "1", EINVAL},
        {"store", world.dir, "86401", "1", EINVAL},
        {"file", in_dir("fifo"), "1", "1", EINVAL},
        {"file", "/nonexistent", "1", "1", ENOENT},
        {"file", "", "1", "1", ENOENT},
        {"store", "/nonexistent", "1", "1", ENOENT},
        {"file", world.dir, "1", "1", EISDIR},
        {"store", world.primary, "1", "1", ENOTDIR},
        {"store", in_dir("empty"), "1", "1", ENODATA},
        {"file", long_path, "1", "1", ENAMETOOLONG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answer a =
            ask(cases[i].mode, cases[i].path, cases[i].max_wait, cases[i].check_interval);
        cr_expect_eq(a.settled, 0, "%zu", i);
        cr_expect_eq(a.error, cases[i].error, "%zu: %s", i, strerror(a.error));
        cr_expect_lt(a.elapsed, soon, "an error is no reason to wait");
    }
}

Test(api, a_file_that_is_removed_during_the_wait_is_an_error)
{
    const char *path = in_dir("file");
    make_file(path);
    struct process holder = hold("posix", path, 30000);
    struct process p = PLAIN(LINKED, "file", path, "10", "0.05");
    sleep_ms(300);
    cr_assert_eq(unlink(path), 0);
    cr_expect_eq(read_answer(&p).error, ENOENT);
    cr_expect_eq(finish(&p), 0);
    kill_now(&holder);
}

/* --- what they take from the settings --- */

Test(api, a_negative_number_stands_for_the_setting_or_the_rule)
{
    char rules[2 * PATH_MAX];
    struct process holder = hold("posix", world.primary, 30000);
    setenv("SETTLE_MAX_WAIT", "300ms", 1);
    expect_held_for(ask("file", world.primary, "-1", "-1"), 0.3, "the setting");
    expect_held_for(ask("store", world.dir, "-1", "-1"), 0.3, "the setting");
    snprintf(rules, sizeof rules, "%s: max_wait=600ms name=mine", world.dir);
    setenv("SETTLE_RULES", rules, 1);
    expect_held_for(ask("file", world.primary, "-1", "-1"), 0.6, "the rule");
    expect_held_for(ask("store", world.dir, "-1", "-1"), 0.6, "the rule");
    expect_held_for(ask("file", world.primary, "0.1", "-1"), 0.1, "what is given beats it");
    struct process p = PLAIN(LINKED, "store", world.dir, "0", "-1");
    cr_expect_eq(finish(&p), 0);
    cr_expect_not_null(strstr(errors_of(&p), " rule=mine\n"), "%s", errors_of(&p));
    unsetenv("SETTLE_RULES");
    unsetenv("SETTLE_MAX_WAIT");
    kill_now(&holder);
}

Test(api, a_rule_is_found_for_a_relative_path_and_through_links)
{
    char rules[2 * PATH_MAX];
    struct process holder = hold("posix", world.primary, 30000);
    snprintf(rules, sizeof rules, "%s: name=mine", world.dir);
    cr_assert_eq(symlink(world.primary, in_dir("../link")), 0);
    setenv("SETTLE_RULES", rules, 1);
    const char *asks[] = {"cd \"$1\"; exec \"$2\" file chroma.sqlite3 0 -1",
                          "cd \"$1\"; exec \"$2\" store . 0 -1",
                          "exec \"$2\" file \"$1/../link\" 0 -1"};
    char linked[PATH_MAX];
    cr_assert_not_null(realpath(LINKED, linked));
    for (int i = 0; i < 3; i++) {
        struct process p = PLAIN("sh", "-c", asks[i], "sh", world.dir, linked);
        cr_expect_eq(read_answer(&p).error, 0);
        cr_expect_eq(finish(&p), 0);
        cr_expect_not_null(strstr(errors_of(&p), " rule=mine\n"), "%s: %s", asks[i], errors_of(&p));
    }
    unsetenv("SETTLE_RULES");
    kill_now(&holder);
}

static unsigned looks_with_interval(const char *check_interval)
{
    unsigned probes = 0;
    struct process p = PLAIN(LINKED, "file", world.primary, "0.5", check_interval);
    cr_expect_eq(finish(&p), 0);
    const char *counts = strstr(errors_of(&p), "probes=");
    cr_assert_not_null(counts, "%s", errors_of(&p));
    cr_assert_eq(sscanf(counts, "probes=%u", &probes), 1);
    return probes;
}

Test(api, the_check_interval_is_the_longest_sleep_between_two_looks)
{
    struct process holder = hold("posix", world.primary, 30000);
    setenv("SETTLE_LOG", "info", 1);
    cr_expect_gt(looks_with_interval("0.001"), 2 * looks_with_interval("10"));
    setenv("SETTLE_CHECK_INTERVAL", "1ms", 1);
    cr_expect_gt(looks_with_interval("-1"), 2 * looks_with_interval("10"));
    setenv("SETTLE_CHECK_INTERVAL", "10", 1);
    cr_expect_lt(2 * looks_with_interval("-1"), looks_with_interval("0.001"));
    unsetenv("SETTLE_CHECK_INTERVAL");
    unsetenv("SETTLE_LOG");
    kill_now(&holder);
}

Test(api, neither_a_budget_nor_disable_is_about_what_is_asked_for)
{
    struct process holder = hold("posix", world.primary, 30000);
    setenv("SETTLE_TOTAL_WAIT", "0", 1);
    expect_held_for(ask("file", world.primary, "0.3", "-1"), 0.3, "no budget");
    unsetenv("SETTLE_TOTAL_WAIT");
    setenv("SETTLE_DISABLE", "1", 1);
    setenv("SETTLE_MAX_WAIT", "300ms", 1);
    setenv("SETTLE_LOG", "loud", 1); /* which is not complained of */
    struct process p = PLAIN(LINKED, "file", world.primary, "-1", "-1");
    expect_held_for(read_answer(&p), 0.3, "disabled");
    cr_expect_eq(finish(&p), 0);
    cr_expect_str_eq(errors_of(&p), "", "disabled is silent");
    unsetenv("SETTLE_LOG");
    unsetenv("SETTLE_MAX_WAIT");
    unsetenv("SETTLE_DISABLE");
    kill_now(&holder);
}

Test(api, a_disable_that_reads_like_its_opposite_is_said)
{
    setenv("SETTLE_DISABLE", "off", 1);
    struct process p = PLAIN("env", preload(NULL, library_path()), "/bin/true");
    cr_expect_eq(finish(&p), 0);
    cr_expect_not_null(strstr(errors_of(&p), "SETTLE_DISABLE='off': expected 1 or 0"), "%s",
                       errors_of(&p));
    unsetenv("SETTLE_DISABLE");
}

/* --- what they leave alone --- */

Test(api, a_lock_of_the_caller_counts_and_is_still_there_afterwards)
{
    struct process p = PLAIN(LINKED, "locked", world.primary, "0.2", "-1");
    expect_held_for(read_answer(&p), 0.2, "its own lock");
    cr_expect_eq(lock_owner(world.primary, 0), p.pid);
    send_line(&p, "go");
    cr_expect_eq(finish(&p), 0);
    cr_expect_not_null(strstr(errors_of(&p), "this process"), "%s", errors_of(&p));
}

Test(api, they_may_be_called_in_signal_handlers_that_interrupt_malloc)
{
    expect_settled(ask("handler", world.primary, "10", "-1"), "handler");
}

Test(api, they_may_be_called_by_many_threads)
{
    expect_settled(ask("threads", world.primary, "10", "-1"), "threads");
}

/* --- ways to them --- */

Test(api, a_program_that_links_the_library_is_under_the_shim)
{
    setenv("SETTLE_LOG", "debug", 1);
    struct process p = PLAIN(LINKED, "close", world.primary, "0", "0");
    unsetenv("SETTLE_LOG");
    cr_expect_eq(finish(&p), 0);
    cr_expect_not_null(strstr(errors_of(&p), "unlocked at once"), "%s", errors_of(&p));
}

Test(api, python_finds_them_under_the_shim)
{
    struct process holder = hold("posix", world.primary, 400);
    struct process p = SHIMMED(PYTHON, "-", world.primary, world.dir, "/nonexistent");
    struct answer a = read_answer(&p);
    cr_expect_geq(now_ns(), released_at(&holder));
    expect_settled(a, "file");
    expect_settled(read_answer(&p), "store");
    cr_expect_eq(read_answer(&p).error, ENOENT);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect(log_has("File unlocked after polling"));
}

Test(api, python_finds_them_where_the_shim_is_disabled)
{
    struct process p = SHIMMED_WITH(OPTIONS("--disable"), PYTHON, "-", world.dir);
    expect_settled(read_answer(&p), "store");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(api, python_can_load_the_library_itself)
{
    struct process holder = hold("posix", world.primary, 30000);
    setenv("SETTLE_MAX_WAIT", "300ms", 1);
    struct process p = PLAIN(PYTHON, "build/libsettle.so", world.dir);
    expect_held_for(read_answer(&p), 0.3, "store");
    unsetenv("SETTLE_MAX_WAIT");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    kill_now(&holder);
}

Test(api, the_header_needs_no_other_in_c89_and_in_cpp)
{
    struct process p = PLAIN("cc", "-std=c89", "-pedantic", "-Wall", "-Wextra", "-Werror",
                             "-fsyntax-only", "-x", "c", "shim/settle.h");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    p = PLAIN("build/api/header");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}
