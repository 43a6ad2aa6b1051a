/* Uses of a store that the process has closed, asked where they are: by a descriptor in the
 * program's own table, whose close would drop all its locks on the file (shim/track/question.h).
 * What is asked is in tests/unit. */
#include "user.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

TestSuite(question, .init = world_begin, .fini = world_end, .timeout = 60);

enum { SHARED = 0x40000002 };

/* Also one that no book has: it was taken through a descriptor that was opened past the library, as
 * one is that was open before an exec. */
Test(question, no_use_costs_the_process_a_lock)
{
    static const char *const uses[] = {"os.listdir(D)", "os.path.exists(P) and os.rename(P, P)",
                                       "ctypes.CDLL(None).rmdir(D.encode())"};
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        struct process p = user_with(OPTIONS("--max-wait", "300ms", "--log", "warn"));
        open_store(&p, "delete");
        run(&p, "c.close()");
        expect(&p, "fd = ctypes.CDLL(None).syscall(257, -100, P.encode(), os.O_RDWR)", "None");
        struct process holder = hold("posix-read", world.primary, 10000);
        expect(&p, "fcntl.lockf(fd, fcntl.LOCK_SH, 510, 0x40000002)", "None");
        run(&p, uses[i]);
        run(&p, uses[i]);
        kill_now(&holder);
        cr_expect_eq(lock_owner(world.primary, SHARED), p.pid, "%s", uses[i]);
        run(&p, uses[i]);
        cr_expect_eq(lock_owner(world.primary, SHARED), p.pid, "%s", uses[i]);
        user_ends(&p);
        unlink(world.primary);
    }
}

/* In whatever state the engine of another thread is. Without the rule that its lock waits for the
 * question, some of ten thousand are lost. */
Test(question, nor_while_its_engine_opens_locks_and_closes)
{
    char line[128];
    unsigned long listed, worked, lost;
    struct process p =
        SHIMMED_WITH(OPTIONS("--log", "off"), "build/programs/asked", world.dir, "2000");
    cr_assert(read_line(&p, line, sizeof line), "%s", errors_of(&p));
    cr_assert_eq(sscanf(line, "listed %lu worked %lu lost %lu", &listed, &worked, &lost), 3, "%s",
                 line);
    cr_expect_gt(listed, 100);
    cr_expect_gt(worked, 100);
    cr_expect_eq(lost, 0, "%s", line);
    cr_expect_eq(finish(&p), 0);
}

/* Nobody is to find this process with the store open: not even while somebody else holds it. */
Test(question, it_leaves_no_descriptor_behind)
{
    char command[3 * PATH_MAX];
    struct process p = user_with(OPTIONS("--max-wait", "300ms", "--log", "warn"));
    open_store(&p, "delete");
    run(&p, "c.close()");
    snprintf(command, sizeof command, "ls -l /proc/%d/fd  | grep -q '%s'", (int)p.pid,
             world.primary);
    run(&p, "os.listdir(D)");
    cr_expect_neq(system(command), 0, "free");
    struct process holder = hold("posix", world.primary, 10000);
    run(&p, "os.listdir(D)");
    cr_expect_neq(system(command), 0, "held");
    kill_now(&holder);
    user_ends(&p);
}

/* --- what it costs where nobody holds the store --- */

/* One question is a look for POSIX locks and, where no engine of ours has the file open, a try for
 * a flock, which is given back. Others: sleeps, helpers, waits for another thread. */
struct cost {
    int looks, tries, others;
};

static struct cost cost_of(struct process *p, const char *statement)
{
    static const char calls[] = "trace=fcntl,flock,clone,clone3,futex,nanosleep,clock_nanosleep,"
                                "poll,ppoll,select,pselect6,epoll_wait,epoll_pwait,sched_yield";
    struct cost cost = {0, 0, 0};
    struct process tracer = attach_strace(p, OPTIONS("-e", "signal=none", "-e", calls));
    expect(p, statement, "None");
    kill(tracer.pid, SIGINT);
    finish(&tracer);
    FILE *seen = fopen(tracer.err, "r");
    char line[512];
    cr_assert_not_null(seen);
    while (fgets(line, sizeof line, seen) != NULL)
        if (strstr(line, "GETLK") != NULL)
            cost.looks++;
        else if (strstr(line, "LOCK_EX|LOCK_NB") != NULL)
            cost.tries++;
        else if (strncmp(line, "fcntl(", 6) != 0 && strstr(line, "LOCK_UN") == NULL)
            cost.others++;
    fclose(seen);
    return cost;
}

/* files: those that an engine of ours writes, each of which is looked at. */
static void expect_question(struct process *p, const char *statement, int files)
{
    const struct cost cost = cost_of(p, statement);
    cr_expect_eq(cost.looks, files, "%s: %d looks", statement, cost.looks);
    cr_expect_leq(cost.tries, 1, "%s: %d tries", statement, cost.tries);
    cr_expect_eq(cost.others, 0, "%s: %d sleeps and helpers", statement, cost.others);
}

Test(question, of_a_free_store_it_is_one_without_a_sleep_or_a_helper)
{
    static const char *const journals[] = {"delete", "wal"};
    for (int i = 0; i < 2; i++) {
        struct process p = user_with(OPTIONS("--log", "warn"));
        open_store(&p, journals[i]);
        run(&p, "os.listdir(D)"); /* the first says that it was never closed */
        expect_question(&p, "l = os.listdir(D)", i + 1);
        expect_question(&p, "f = open(P, 'rb')", i + 1);
        struct process reader = PLAIN("build/programs/keeper");
        say(&reader, "engine E -", world.primary);
        cr_assert_eq(step(&reader, "lock E - shared").result, 0);
        expect_question(&p, "l = os.listdir(D)", i + 1);
        finish(&reader);
        run(&p, "f.close(); c.close()");
        expect_question(&p, "l = os.listdir(D)", 1);
        expect_question(&p, "f = open(P, 'rb')", 1);
        run(&p, "f.close()");
        expect_question(&p, "os.rename(P, P + '2')", 1);
        run(&p, "os.rename(P + '2', P)");
        expect_question(&p, "os.unlink(P)", 1);
        user_ends(&p);
    }
}

/* Of connections that go away there are none left, or no other thread that could close them. */
Test(question, it_is_one_where_no_connection_can_go_away)
{
    struct process p = user_with(OPTIONS("--log", "warn", "--fallback-delay", "20"));
    open_store(&p, "delete");
    run(&p, "os.listdir(D)");
    run(&p, "stop = threading.Event(); t = later(stop.wait)");
    run(&p, "c.execute('insert into t values (1)'); c.commit()"); /* which closes a journal */
    expect_question(&p, "l = os.listdir(D)", 1);
    run(&p, "stop.set(); t.join()");
    run(&p, "d = sqlite3.connect(P); d.execute('select * from t').fetchall(); d.close()");
    expect_question(&p, "l = os.listdir(D)", 1);
    run(&p, "stop = threading.Event(); t = later(stop.wait)");
    run(&p, "c.close()");
    expect_question(&p, "l = os.listdir(D)", 1);
    run(&p, "stop.set(); t.join()");
    user_ends(&p);
}

Test(question, of_a_store_that_the_engine_has_locked_itself_there_is_none)
{
    struct process p = user_with(OPTIONS("--log", "warn"));
    open_store(&p, "delete");
    run(&p, "c.executemany('insert into t values (?)', [(i,) for i in range(5000)]); c.commit()");
    run(&p, "r = c.execute('select a from t'); r.fetchone()");
    run(&p, "os.listdir(D)");
    struct process other = PLAIN("build/programs/keeper");
    say(&other, "engine E -", world.primary);
    cr_assert_eq(step(&other, "lock E - reserved").result, 0);
    expect_question(&p, "l = os.listdir(D)", 0);
    expect_question(&p, "f = open(P, 'rb')", 0);
    finish(&other);
    run(&p, "r.fetchall(); f.close(); c.close()");
    user_ends(&p);
}
