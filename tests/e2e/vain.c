/* What a close does not wait for: who never lets go, and the sum of waits in vain; and the signals
 * that end a wait. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(vain, .init = world_begin, .fini = world_end, .timeout = 120);

static const uint64_t soon = 400 * (uint64_t)MS; /* room for a busy machine */

enum { SECOND = 1000 };

#define DATABASE "/usr/bin/python3", "tests/e2e/programs/database.py"

static struct process keep(const char *path)
{
    struct process p = PLAIN(DATABASE, "keep", path);
    await_line(&p, "held");
    return p;
}

/* A program that opens and closes a connection at each line, with max_wait of a second. */
static struct process start_requests(const char *path)
{
    struct process p =
        SHIMMED_WITH(OPTIONS("--max-wait", "1", "--log", "info"), DATABASE, "requests", path);
    await_line(&p, "open");
    return p;
}

/* ms that the close took. */
static long request(struct process *p)
{
    send_line(p, "request");
    return await_number(p, "took");
}

static void expect_whole(long ms, const char *what)
{
    cr_expect_geq(ms, SECOND - 1, "%s: %ld ms", what, ms);
}

static void expect_short(long ms, const char *what)
{
    cr_expect_geq(ms, 99, "%s: %ld ms", what, ms);
    cr_expect_lt(ms, 600, "%s: %ld ms", what, ms);
}

/* Shorter than the fixed delay, be it at the third time on a busy machine. */
static void expect_free(struct process *p, const char *what)
{
    long ms = 90;
    for (int i = 0; ms >= 90 && i < 3; i++)
        ms = request(p);
    cr_expect_lt(ms, 90, "%s: %ld ms", what, ms);
}

/* --- who never lets go --- */

#define OUTLASTED "since it outlasted a whole wait: POSIX read lock of pid "

Test(vain, a_connection_that_outlasted_a_wait_costs_later_ones_the_fixed_delay_and_is_told_of_once)
{
    struct process holder = keep(world.primary);
    struct process p = start_requests(world.primary);
    expect_whole(request(&p), "the first");
    for (int i = 1; i < 10; i++)
        expect_short(request(&p), "a later one");
    cr_expect_eq(log_count(OUTLASTED), 1);
    cr_expect_eq(log_count("warning: "), 2);
    cr_expect_eq(log_count("(limit 0.100 s instead of 1.000 s)"), 9);
    kill_now(&holder);
    expect_free(&p, "it has gone");
    cr_expect_eq(finish(&p), 0);
}

Test(vain, a_connection_that_came_after_one_that_outlasted_a_wait_is_waited_for)
{
    struct process holder = keep(world.primary);
    struct process p = start_requests(world.primary);
    expect_whole(request(&p), "the first");
    expect_short(request(&p), "the second");
    struct process next = keep(world.primary);
    kill_now(&holder);
    expect_whole(request(&p), "another process");
    kill_now(&next);
    cr_expect_eq(finish(&p), 0);
}

Test(vain, a_connection_that_was_seen_gone_is_waited_for_anew)
{
    struct process holder = keep(world.primary);
    struct process p = start_requests(world.primary);
    expect_whole(request(&p), "the first");
    expect_short(request(&p), "the second");
    send_line(&holder, "close");
    await_line(&holder, "gone");
    expect_free(&p, "it is seen gone");
    send_line(&holder, "open");
    await_line(&holder, "held");
    expect_whole(request(&p), "the same process, anew");
    kill_now(&holder);
    cr_expect_eq(finish(&p), 0);
}

/* Also where it goes while a later close waits for it. */
Test(vain, a_connection_that_went_during_the_fixed_delay_is_waited_for_anew)
{
    struct process holder = keep(world.primary);
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "1", "--fallback-delay", "600ms"),
                                    DATABASE, "requests", world.primary);
    await_line(&p, "open");
    expect_whole(request(&p), "the first");
    send_line(&p, "request");
    sleep_ms(100);
    send_line(&holder, "close");
    await_line(&holder, "gone");
    cr_expect_lt(await_number(&p, "took"), 600, "it has gone");
    send_line(&holder, "open");
    await_line(&holder, "held");
    expect_whole(request(&p), "the same process, anew");
    kill_now(&holder);
    cr_expect_eq(finish(&p), 0);
}

Test(vain, a_writer_is_always_a_new_holder)
{
    struct process holder = hold("posix", world.primary, 30 * SECOND);
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "500ms"), "build/programs/stepper");
    for (int i = 0; i < 2; i++) {
        cr_assert_geq(say(&p, "open a -", world.primary).result, 0);
        cr_expect_geq(step(&p, "close a").took, 500 * (uint64_t)MS, "%d", i);
    }
    kill_now(&holder);
    cr_expect_eq(finish(&p), 0);
}

/* Who is outside of this process's container has no pid here (0), and may be another each time. */
Test(vain, a_connection_outside_of_the_container_is_always_a_new_holder)
{
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: a pid namespace needs root");
        return;
    }
    struct process holder = keep(world.primary);
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "1", "--log", "info"), "unshare", "--pid",
                                    "--fork", "--kill-child", DATABASE, "requests", world.primary);
    await_line(&p, "open");
    expect_whole(request(&p), "the first");
    expect_whole(request(&p), "the second");
    cr_expect_eq(finish(&p), 0);
    cr_expect(!log_has(OUTLASTED));
    kill_now(&holder);
}

/* The kernel names the first of several locks, which is that of the one who was there before. */
static void expect_wait_for_writer(bool in_the_same_process)
{
    struct process idle = PLAIN(DATABASE, in_the_same_process ? "write" : "keep", world.primary);
    await_line(&idle, "held");
    struct process p = start_requests(world.primary);
    expect_whole(request(&p), "idle");
    expect_short(request(&p), "idle still");
    struct process other = PLAIN(DATABASE, "write", world.primary);
    await_line(&other, "held");
    struct process *writer = in_the_same_process ? &idle : &other;
    send_line(writer, "write");
    await_line(writer, "writing");
    send_line(&p, "request");
    sleep_ms(500);
    send_line(writer, "end");
    char line[64];
    unsigned long long released = 0;
    cr_assert(read_line(writer, line, sizeof line));
    cr_assert_eq(sscanf(line, "released %llu", &released), 1, "%s", line);
    long took = await_number(&p, "took");
    uint64_t closed = now_ns();
    cr_expect_geq(took, 450, "%ld ms", took);
    cr_expect_lt(closed, released + PROMPTLY, "and no longer than the writer writes");
    kill_now(&idle);
    kill_now(&other);
    cr_expect_eq(finish(&p), 0);
}

Test(vain, a_writer_behind_a_connection_that_outlasted_a_wait_is_waited_for)
{
    expect_wait_for_writer(false);
}

Test(vain, a_connection_that_outlasted_a_wait_and_writes_is_waited_for)
{
    expect_wait_for_writer(true);
}

static struct process locked_by(const char *lock)
{
    struct process p = PLAIN("build/programs/keeper");
    char command[32];
    snprintf(command, sizeof command, "lock E - %s", lock);
    cr_assert_geq(say(&p, "engine E -", world.primary).result, 0);
    cr_assert_eq(step(&p, command).result, 0);
    return p;
}

/* Who reads holds what an idle connection with a WAL holds. */
Test(vain, a_writer_behind_a_reader_that_outlasted_a_wait_is_waited_for_without_a_wal_too)
{
    struct process reader = locked_by("shared");
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "1"), "build/programs/stepper");
    uint64_t took[3];
    struct process other = {.pid = 0};
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            other = locked_by("reserved");
        cr_assert_geq(say(&p, "open a -", world.primary).result, 0);
        took[i] = step(&p, "close a").took / MS;
    }
    expect_whole((long)took[0], "the first");
    expect_short((long)took[1], "a later one");
    expect_whole((long)took[2], "beside a writer");
    finish(&other);
    finish(&reader);
    cr_expect_eq(finish(&p), 0);
}

/* The parent has a connection until its workers have ended, so none of them can win. */
static void expect_short_below(const char *how)
{
    char parent[512];
    static const char worker[] = "import sqlite3, sys, time\n"
                                 "c = sqlite3.connect(sys.argv[1])\n"
                                 "c.execute('insert into t values (1)'); c.commit()\n"
                                 "t = time.monotonic(); c.close()\n"
                                 "print('took', round((time.monotonic() - t) * 1000))\n";
    snprintf(parent, sizeof parent,
             "import sqlite3, subprocess, sys\n"
             "c = sqlite3.connect(sys.argv[1])\n"
             "c.execute('pragma journal_mode=wal')\n"
             "c.execute('create table if not exists t(a)')\n"
             "r = subprocess.run(sys.argv[2:], %s)\n"
             "sys.stdout.write((r.stdout or b'').decode())\n",
             how);
    struct process p =
        PLAIN("/usr/bin/python3", "-c", parent, world.primary, "scripts/settle", "--log-file",
              world.log, "--", "/usr/bin/python3", "-c", worker, world.primary);
    expect_short(await_number(&p, "took"), how);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(vain, a_parent_that_waits_for_this_process_costs_the_fixed_delay)
{
    static const char *const ways[] = {"stdout=None", "stdout=subprocess.PIPE",
                                       "capture_output=True", "capture_output=True, timeout=20"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        expect_short_below(ways[i]);
        cr_expect_eq(log_count("since it waits itself for this process: POSIX read lock"), i + 1,
                     "%s", ways[i]);
        cr_expect_eq(log_count("warning: "), i + 1);
    }
}

Test(vain, a_parent_that_does_something_else_is_waited_for)
{
    static const char parent[] = "import sqlite3, subprocess, sys, time\n"
                                 "c = sqlite3.connect(sys.argv[1])\n"
                                 "c.execute('pragma journal_mode=wal')\n"
                                 "c.execute('create table if not exists t(a)')\n"
                                 "p = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE)\n"
                                 "p.stdout.readline(); time.sleep(0.6); c.close()\n"
                                 "sys.stdout.write(p.stdout.readline().decode()); p.wait()\n";
    static const char worker[] = "import sqlite3, sys, time\n"
                                 "c = sqlite3.connect(sys.argv[1])\n"
                                 "c.execute('insert into t values (1)'); c.commit()\n"
                                 "print('open', flush=True)\n"
                                 "t = time.monotonic(); c.close()\n"
                                 "print('took', round((time.monotonic() - t) * 1000))\n";
    struct process p =
        PLAIN("/usr/bin/python3", "-c", parent, world.primary, "scripts/settle", "--log-file",
              world.log, "--", "/usr/bin/python3", "-c", worker, world.primary);
    cr_expect_geq(await_number(&p, "took"), 500);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_count("warning: "), 0);
}

/* --- the sum --- */

enum { DATABASES = 8 };

static const char *database(int number)
{
    static char paths[DATABASES][PATH_MAX];
    char name[16];
    snprintf(name, sizeof name, "%d.db", number);
    snprintf(paths[number], PATH_MAX, "%s", in_dir(name));
    return paths[number];
}

/* Eight databases are closed on SIGTERM, one after the other. */
static void expect_end_in_time(unsigned readers)
{
    const char *service[DATABASES + 4] = {DATABASE, "service"};
    struct process holders[DATABASES];
    for (int i = 0; i < DATABASES; i++)
        service[3 + i] = database(i);
    struct process p = spawn_shimmed(OPTIONS("--stores", "sqlite", "--max-wait", "1"), service);
    await_line(&p, "open");
    if (readers == 1)
        holders[0] = PLAIN(DATABASE, "keep", database(0), database(1), database(2), database(3),
                           database(4), database(5), database(6), database(7));
    for (unsigned i = 0; readers > 1 && i < readers; i++)
        holders[i] = PLAIN(DATABASE, "keep", database((int)i));
    for (unsigned i = 0; i < readers; i++)
        await_line(&holders[i], "held");
    uint64_t began = now_ns();
    cr_expect_eq(kill(p.pid, SIGTERM), 0);
    for (int i = 0; i < DATABASES; i++)
        cr_expect_eq(await_number(&p, "closed"), i);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    uint64_t took = now_ns() - began;
    cr_expect_geq(took, 2 * (uint64_t)SECOND * MS, "two whole waits");
    cr_expect_lt(took, 3 * (uint64_t)SECOND * MS + soon, "%llu ms", (unsigned long long)took / MS);
    cr_expect_eq(log_count("waits in vain have taken twice max_wait"), 1);
    cr_expect_eq(log_count("still locked after"), DATABASES, "each is told of");
    cr_expect_eq(log_count("(limit 0.100 s instead of 1.000 s), held by"), DATABASES - 2);
    for (unsigned i = 0; i < readers; i++)
        kill_now(&holders[i]);
}

Test(vain, eight_databases_closed_one_after_the_other_take_less_than_three_waits_with_one_reader)
{
    expect_end_in_time(1);
}

Test(vain, eight_databases_closed_one_after_the_other_take_less_than_three_waits_with_eight_readers)
{
    expect_end_in_time(DATABASES);
}

Test(vain, waits_that_settle_take_nothing_of_what_waits_in_vain_share)
{
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "1"), "build/programs/stepper");
    for (int i = 0; i < 5; i++) {
        struct process holder = hold("posix", world.primary, 500);
        cr_assert_geq(say(&p, "open a -", world.primary).result, 0);
        cr_expect_eq(step(&p, "close a").result, 0);
        uint64_t closed = now_ns();
        cr_expect_geq(closed, released_at(&holder), "%d", i);
    }
    cr_expect_eq(log_count("File unlocked after polling"), 5);
    cr_expect_eq(finish(&p), 0);
}

/* --- statements --- */

/* The one cursor is done with, and its program lets go of it after the close. */
Test(vain, a_statement_at_rest_costs_the_fixed_delay_at_most)
{
    static const char program[] =
        "import ctypes, sys, threading, time\n"
        "threading.Thread(target=time.sleep, args=(3,), daemon=True).start()\n"
        "s = ctypes.CDLL(None if hasattr(ctypes.CDLL(None), 'sqlite3_prepare_v2') else "
        "'libsqlite3.so.0')\n"
        "shim = ctypes.CDLL(None)\n"
        "db, st = ctypes.c_void_p(), ctypes.c_void_p()\n"
        "shim.sqlite3_open(sys.argv[1].encode(), ctypes.byref(db))\n"
        "s.sqlite3_exec(db, b'create table if not exists t(a)', None, None, None)\n"
        "s.sqlite3_prepare_v2(db, b'select * from t', -1, ctypes.byref(st), None)\n"
        "t = time.monotonic()\n"
        "shim.sqlite3_close_v2(db)\n"
        "print('took', round((time.monotonic() - t) * 1000))\n"
        "s.sqlite3_finalize(st)\n";
    struct process p = SHIMMED("/usr/bin/python3", "-c", program, world.primary);
    expect_short(await_number(&p, "took"), "the close");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect(log_has("still open in this process at the end of the wait"));
}

/* --- signals --- */

/* A close that waits for 5 s at most, in a program that has a handler; "took" is what it took. */
static struct process start_interruptible(const char *how, struct process *holder)
{
    static const char program[] =
        "import os, signal, sys, threading, time\n"
        "how = sys.argv[2].split(',')\n"
        "fd = os.open(sys.argv[1], os.O_RDWR)\n"
        "def handle(number, frame): print('handled', flush=True)\n"
        "if 'ignore' in how: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "elif 'handle' in how: signal.signal(signal.SIGTERM, handle)\n"
        "if 'others' in how: signal.signal(signal.SIGCHLD, handle)\n"
        "if 'block' in how: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "if 'threads' in how: threading.Thread(target=time.sleep, args=(20,), "
        "daemon=True).start()\n"
        "print('open', flush=True)\n"
        "sys.stdin.readline()\n"
        "t = time.monotonic()\n"
        "os.close(fd)\n"
        "print('took', round((time.monotonic() - t) * 1000), flush=True)\n"
        "print('mask', len(signal.pthread_sigmask(signal.SIG_BLOCK, [])), flush=True)\n";
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "3"), "/usr/bin/python3", "-c", program,
                                    world.primary, how);
    await_line(&p, "open");
    *holder = hold("posix", world.primary, 30 * SECOND);
    unsigned threads = strstr(how, "threads") != NULL ? 2 : 1;
    send_line(&p, "close");
    await_threads(&p, threads + 1);
    sleep_ms(100);
    return p;
}

Test(vain, sigterm_ends_a_wait_and_its_handler_runs)
{
    static const char *const ways[] = {"handle", "handle,others", "handle,threads"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process holder;
        struct process p = start_interruptible(ways[i], &holder);
        uint64_t began = now_ns();
        cr_expect_eq(kill(p.pid, SIGTERM), 0);
        await_line(&p, "handled");
        await_line(&p, "took");
        cr_expect_lt(now_ns() - began, soon, "%s", ways[i]);
        cr_expect_eq(await_number(&p, "mask"), 0, "%s", ways[i]);
        cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
        cr_expect_eq(log_count("SIGINT or SIGTERM ended the wait after"), (unsigned)i + 1);
        kill_now(&holder);
    }
}

Test(vain, sigint_ends_a_wait_as_keyboardinterrupt)
{
    static const char *const ways[] = {"none", "threads", "others"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process holder;
        struct process p = start_interruptible(ways[i], &holder);
        uint64_t began = now_ns();
        cr_expect_eq(kill(p.pid, SIGINT), 0);
        cr_expect_eq(finish(&p), 128 + SIGINT);
        cr_expect_lt(now_ns() - began, soon + 200 * (uint64_t)MS, "%s", ways[i]);
        cr_expect_not_null(strstr(errors_of(&p), "KeyboardInterrupt"), "%s", ways[i]);
        kill_now(&holder);
    }
}

Test(vain, a_signal_that_is_ignored_or_blocked_or_another_ends_no_wait)
{
    static const struct {
        const char *how;
        int signal;
    } cases[] = {{"ignore", SIGTERM},
                 {"ignore,threads", SIGTERM},
                 {"block", SIGTERM},
                 {"others", SIGCHLD},
                 {"others,threads", SIGCHLD}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct process holder;
        struct process p = start_interruptible(cases[i].how, &holder);
        cr_expect_eq(kill(p.pid, cases[i].signal), 0);
        cr_expect_geq(await_number(&p, "took"), 2990, "%s", cases[i].how);
        finish(&p);
        kill_now(&holder);
    }
    cr_expect_eq(log_count("ended the wait"), 0);
}

/* The one that the program has made, before there was a helper. */
static pid_t other_thread(const struct process *p)
{
    char directory[64];
    pid_t found = 0;
    snprintf(directory, sizeof directory, "/proc/%d/task", (int)p->pid);
    DIR *threads = opendir(directory);
    cr_assert_not_null(threads);
    for (struct dirent *e; (e = readdir(threads)) != NULL;) {
        const pid_t id = atoi(e->d_name);
        if (id != 0 && id != p->pid && (found == 0 || id < found))
            found = id;
    }
    closedir(threads);
    return found;
}

Test(vain, a_signal_that_another_thread_takes_ends_no_wait)
{
    struct process holder;
    struct process p = start_interruptible("handle,threads", &holder);
    cr_expect_eq(syscall(SYS_tgkill, p.pid, other_thread(&p), SIGTERM), 0);
    cr_expect_geq(await_number(&p, "took"), 2990);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_count("ended the wait"), 0);
    kill_now(&holder);
}

Test(vain, a_wait_that_was_ended_is_told_in_the_record)
{
    char grep[2 * PATH_MAX];
    const char *record = in_dir("../record");
    struct process holder;
    setenv("SETTLE_RECORD", record, 1);
    struct process p = start_interruptible("handle", &holder);
    unsetenv("SETTLE_RECORD");
    cr_expect_eq(kill(p.pid, SIGTERM), 0);
    await_line(&p, "took");
    cr_expect_eq(finish(&p), 0);
    kill_now(&holder);
    snprintf(grep, sizeof grep, "grep -q '\"wait ended\".*\"outcome\":\"interrupted\"' '%s'",
             record);
    cr_expect_eq(system(grep), 0);
}

/* How long a wait really might take is told, too. */
Test(vain, the_record_gives_the_effective_limit)
{
    char grep[2 * PATH_MAX];
    const char *record = in_dir("../record");
    struct process holder = keep(world.primary);
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "1", "--record", record), DATABASE,
                                    "requests", world.primary);
    await_line(&p, "open");
    request(&p);
    request(&p);
    cr_expect_eq(finish(&p), 0);
    kill_now(&holder);
    static const char *const limits[] = {"1.0", "0.1"};
    for (int i = 0; i < 2; i++) {
        snprintf(grep, sizeof grep, "test $(grep -c '\"wait ended\".*\"max_wait\":%s' '%s') = 1",
                 limits[i], record);
        cr_expect_eq(system(grep), 0, "%s", limits[i]);
    }
}

/* What is left of a wait that was ended takes nothing with it: the exit does not wait for it, and
 * its memory is used again. */
Test(vain, a_program_ends_at_once_after_a_wait_that_was_ended)
{
    struct process holder;
    struct process p = start_interruptible("handle", &holder);
    uint64_t began = now_ns();
    cr_expect_eq(kill(p.pid, SIGTERM), 0);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_lt(now_ns() - began, soon + 200 * (uint64_t)MS);
    kill_now(&holder);
}
