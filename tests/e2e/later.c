/* Files whose name says nothing, opened to be read and written where databases are known by their
 * content: they are looked at by the next call on them. */
#include "e2e.h"
#include "user.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *database;

static void begin(void)
{
    char command[PATH_MAX + 64];
    world_begin();
    database = strdup(in_dir("app.data"));
    snprintf(command, sizeof command, "sqlite3 '%s' 'CREATE TABLE t(x)'", database);
    cr_assert_eq(system(command), 0);
}

TestSuite(later, .init = begin, .fini = world_end, .timeout = 120);

#define BY_CONTENT OPTIONS("--stores", "chroma:sqlite")

static struct process by_content(void)
{
    return SHIMMED_WITH(BY_CONTENT, "build/programs/stepper");
}

static void end(struct process *p)
{
    cr_expect_eq(finish(p), 0);
}

Test(later, whatever_closes_one_waits)
{
    static const char *const ways[][2] = {
        {"openrw a -", "close a"},        {"openrw a -", "rawclose a"},
        {"openrw a -", "closerange a a"}, {"openrw a -", "closefrom a"},
        {"openrw a -", "dup2 z a"},       {"openrw a -", "dup3 z a"},
        {"fopen a -", "fclose a"},        {"openrw a -", "flock a"},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process p = by_content();
        unsigned before = log_waits();
        step(&p, "open z - /dev/null");
        say(&p, ways[i][0], database);
        cr_expect_eq(log_count("opened as primary"), before, "it is put off");
        step(&p, ways[i][1]);
        if (i + 1 == sizeof ways / sizeof ways[0])
            step(&p, "close a");
        cr_expect_eq(log_waits(), before + 1, "%s", ways[i][1]);
        end(&p);
    }
}

Test(later, of_several_the_last_one_does)
{
    struct process p = by_content();
    say(&p, "openrw a -", database);
    say(&p, "openrw b -", database);
    step(&p, "close a");
    cr_expect_eq(log_waits(), 0);
    cr_expect_geq(step(&p, "dup b c").result, 0);
    step(&p, "close b");
    cr_expect_eq(log_waits(), 0);
    step(&p, "close c");
    cr_expect_eq(log_waits(), 1);
    end(&p);
}

Test(later, one_that_is_closed_unseen_is_nobody)
{
    struct process p = by_content();
    say(&p, "openrw a -", database);
    step(&p, "hiddenclose a");
    step(&p, "open b - /dev/null");
    step(&p, "close b");
    say(&p, "openrw b -", database);
    step(&p, "close b");
    cr_expect_eq(log_waits(), 1);
    end(&p);
}

/* The levels above warnings want to know of each file; without them the answer is taken. */
#define QUIETLY OPTIONS("--stores", "chroma:sqlite", "--log", "warn")

/* Python asks for the size of each file that it opens. */
Test(later, what_fstat_tells_of_is_no_store_or_may_be_one)
{
    struct process p = user_with(QUIETLY);
    run(&p, "P = D + '/app.data'; open(D + '/small', 'w').write('x')");
    run(&p, "f = open(D + '/small', 'r+b')");
    run(&p, "n = f.fileno(); f.close(); f = open(P, 'r+b')");
    expect(&p, "f.fileno() == n", "True");
    struct process holder = hold("posix", database, 300);
    expect_waits(&p, &holder, "f.close()");
    run(&p, "f = open(P, 'r+b'); os.fstat(n)");
    run(&p, "os.ftruncate(n, 4096 * 3); os.fstat(n)");
    holder = hold("posix", database, 300);
    expect_waits(&p, &holder, "f.close()");
    user_ends(&p);
}

/* The child has descriptors of its own, and its parent's memory. */
Test(later, what_a_child_with_the_same_memory_does_is_its_own)
{
    struct process p = SHIMMED_WITH(QUIETLY, "build/programs/borrower", database, in_dir("small"));
    await_line(&p, "open");
    struct process holder = hold("posix", database, 300);
    send_line(&p, "");
    uint64_t closed = await_line(&p, "closed");
    cr_expect_geq(closed, released_at(&holder));
    end(&p);
}

/* What was opened before its engine is seen to have been opened by somebody else. */
Test(later, a_descriptor_that_was_there_before_the_engine_keeps_no_close_from_waiting)
{
    static const char *const modes[] = {"os.O_RDONLY", "os.O_RDWR"};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        char open[128];
        struct process p = user_with(BY_CONTENT);
        snprintf(open, sizeof open, "P = D + '/app.data'; f = os.open(P, %s)", modes[i]);
        run(&p, open);
        run(&p, "c = sqlite3.connect(P); c.execute('SELECT * FROM t').fetchall()");
        struct process holder = hold("posix-read", database, 300);
        expect_waits(&p, &holder, "c.close()");
        user_ends(&p);
    }
}

/* It is looked at while its name still leads to it. */
Test(later, one_below_another_root_directory_is_told_by_its_name)
{
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: another root directory needs root");
        return;
    }
    struct process p = SHIMMED_WITH(QUIETLY, "env", "-u", "SETTLE_LOG_FILE", "/usr/bin/python3",
                                    "tests/e2e/programs/user.py", world.dir);
    run(&p, "P = D + '/app.data'; f = os.open(P, os.O_RDWR)");
    struct process holder = hold_until_told("posix", database);
    run(&p, "os.chroot(D); os.chdir('/')");
    long took = run(&p, "os.close(f)");
    cr_expect_geq(took, 99, "%ld ms", took);
    user_ends(&p);
    cr_expect_not_null(strstr(errors_of(&p), "app.data: cannot be examined (its path no longer"),
                       "%s", errors_of(&p));
    let_go(&holder);
}
