/* What the library takes of the program's own resources: memory that may be locked, and stack. */
#include "e2e.h"
#include "host.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(resources, .init = world_begin, .fini = world_end, .timeout = 60);

/* The usual limit of locked memory holds for ordinary users. */
static struct result memory_of(const char *name, const char *how, const char *library)
{
    char preloaded[PATH_MAX];
    snprintf(preloaded, sizeof preloaded, "LD_PRELOAD=%s", library);
    struct process p =
        geteuid() != 0 ? PLAIN("env", preloaded, "build/programs/memory", name, how)
                       : PLAIN("setpriv", "--clear-groups", "--regid", ordinary_user, "--reuid",
                               ordinary_user, "env", preloaded, "build/programs/memory", name, how);
    return result_of(&p);
}

static long resident(const struct result *r)
{
    const char *found = strstr(r->out, "resident ");
    cr_assert_not_null(found, "%s%s", r->out, r->err);
    return atol(found + strlen("resident "));
}

/* A library that traps undefined behaviour is larger, and so are its frames. */
static long room(void)
{
    return getenv("SETTLE_LIBRARY") == NULL ? 1 : 2;
}

static int by_size(const void *a, const void *b)
{
    const long x = *(const long *)a;
    const long y = *(const long *)b;
    return (x > y) - (x < y);
}

enum { RUNS = 15 };

/* The median of some runs: how many pages of a file are mapped around one that is touched depends
 * on where it lies and on what is in memory already, 60 kB more or less from run to run. */
static long usual_resident(const char *name, const char *how, const char *library)
{
    long sizes[RUNS];
    for (size_t i = 0; i < RUNS; i++) {
        struct result r = memory_of(name, how, library);
        sizes[i] = resident(&r);
    }
    qsort(sizes, RUNS, sizeof sizes[0], by_size);
    return sizes[RUNS / 2];
}

static void expect_little_memory(const char *name, const char *how, long most_kb)
{
    struct result plain = memory_of(name, how, "");
    struct result shimmed = memory_of(name, how, library_path());
    cr_expect_eq(shimmed.status, 0, "%s", shimmed.err);
    const char *expected = "locked 0 \nclosed 0\n";
    cr_expect_eq(strncmp(plain.out, expected, strlen(expected)), 0, "%s", plain.out);
    cr_expect_eq(strncmp(shimmed.out, expected, strlen(expected)), 0, "%s", shimmed.out);
    most_kb *= room();
    long with = usual_resident(name, how, library_path());
    long without = usual_resident(name, how, "");
    cr_expect_leq(with - without, most_kb, "%ld kB, without it %ld", with, without);
}

Test(resources, all_memory_can_be_locked_under_the_usual_limit)
{
    open_world();
    expect_little_memory(world.primary, "locked", 1024);
}

/* Another compiler's library has some pages more. */
Test(resources, a_process_without_a_store_has_little_more_memory_locked_or_not)
{
    open_world();
    expect_little_memory(in_dir("other"), "locked", 300);
    expect_little_memory(in_dir("other"), NULL, 300);
}

/* --- stack --- */

static struct result stack_of(const char *file, const char *how, const char *setting)
{
    char preloaded[PATH_MAX];
    snprintf(preloaded, sizeof preloaded, "LD_PRELOAD=%s", setting == NULL ? "" : library_path());
    struct process p = PLAIN("env", preloaded, "SETTLE_LOG_FILE=/dev/null",
                             setting == NULL ? "X=" : setting, "build/programs/stack", file, how);
    return result_of(&p);
}

static long used_by(const struct result *r, const char *call)
{
    char line[32];
    snprintf(line, sizeof line, "%s ", call);
    for (const char *at = r->out; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, line, strlen(line)) == 0)
            return atol(at + strlen(line));
    }
    cr_assert_fail("no line of %s in: %s%s", call, r->out, r->err);
    return 0;
}

static void expect_little_stack(const char *file, const char *how, const char *setting, long most)
{
    static const char *const calls[] = {"open",   "dup",         "fcntl", "close",
                                        "openat", "close_range", "fopen", "fclose"};
    most *= room();
    struct result plain = stack_of(file, how, NULL);
    struct result shimmed = stack_of(file, how, setting);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        long added = used_by(&shimmed, calls[i]) - used_by(&plain, calls[i]);
        cr_expect_leq(added, most, "%s of %s with %s: %ld bytes of stack more", calls[i], file,
                      setting, added);
    }
}

static const char *const stack_settings[] = {
    "SETTLE_LOG=warn",   "SETTLE_LOG=debug",     "SETTLE_STORES=chroma:sqlite",
    "SETTLE_STORES=all", "SETTLE_DIRS=/nowhere", "SETTLE_TRIGGER=every"};

/* Of 0 bytes (it may become a database, and is kept in the books until it is closed), of whole
 * pages, and such whose names are looked at: what costs a second look. */
Test(resources, a_file_that_is_no_stores_takes_some_hundred_bytes_of_stack)
{
    const struct {
        const char *name, *how;
        int size;
    } files[] = {
        {"empty", NULL, 0},        {"grown", "grown", 0}, {"pages", NULL, 1024},
        {"other.bin", NULL, 2048}, {"LOCK", NULL, 0},     {"other-wal", NULL, 0},
        {"other.wal", NULL, 0},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        FILE *file = fopen(in_dir(files[i].name), "w");
        fprintf(file, "%*s", files[i].size, "");
        fclose(file);
        for (size_t s = 0; s < sizeof stack_settings / sizeof stack_settings[0]; s++)
            expect_little_stack(in_dir(files[i].name), files[i].how, stack_settings[s], 512);
    }
}

Test(resources, a_store_takes_no_more_than_2_kb_of_stack)
{
    char record[PATH_MAX];
    snprintf(record, sizeof record, "SETTLE_RECORD=%s", in_dir("record"));
    for (size_t s = 0; s < sizeof stack_settings / sizeof stack_settings[0]; s++)
        expect_little_stack(world.primary, NULL, stack_settings[s], 2048);
    expect_little_stack(world.primary, NULL, record, 2048);
}

Test(resources, small_stacks_with_a_path_on_them_are_large_enough)
{
    for (size_t s = 0; s < sizeof stack_settings / sizeof stack_settings[0]; s++) {
        struct result r = stack_of(world.primary, "small", stack_settings[s]);
        cr_expect_eq(r.status, 0, "%s: %d %s", stack_settings[s], r.status, r.err);
        cr_expect_str_eq(r.out, "thread\nhandler\n", "%s", stack_settings[s]);
    }
}
