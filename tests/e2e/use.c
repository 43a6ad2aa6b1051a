/* Uses: what a program does with a store's files other than through its engine. */
#include "user.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(use, .init = world_begin, .fini = world_end, .timeout = 120);

/* --- what is a use --- */

/* Each without and with a WAL, where nobody has closed anything. */
Test(use, each_use_of_a_store_that_was_never_closed_waits_for_who_writes)
{
    static const char *const journals[] = {"delete", "wal"};
    static const char *const uses[] = {"os.listdir(D)",
                                       "list(os.scandir(D))",
                                       "fd = os.open(D, 0); os.listdir(fd); os.close(fd)",
                                       "f = open(P, 'rb')",
                                       "g = open(P, 'r+b')",
                                       "os.path.islink(D + '.link') or os.symlink(P, D + '.link')"
                                       "; h = open(D + '.link', 'rb')",
                                       "os.system('true ' + D)",
                                       "ctypes.CDLL(None).popen(b'true ' + P.encode(), b'r')",
                                       "spawn('cp', '-r', D, '/nowhere')"};
    for (size_t j = 0; j < 2; j++) {
        struct process p = user();
        open_store(&p, journals[j]);
        for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
            struct process holder = writer(250);
            expect_waits(&p, &holder, uses[i]);
        }
        run(&p, "c.close()");
        user_ends(&p);
        unlink(world.primary);
    }
    cr_expect_eq(log_count("open: it was never closed"), 2, "once a store in each process");
}

Test(use, how_many_handles_of_a_store_that_was_never_closed_are_open_is_said_once)
{
    struct process p = user();
    open_store(&p, "delete");
    run(&p, "d = sqlite3.connect(P); d.execute('select * from t').fetchall()");
    run(&p, "os.listdir(D); os.listdir(D)");
    run(&p, "d.close(); os.listdir(D); c.close()");
    user_ends(&p);
    cr_expect_eq(log_count("used while "), 1);
    cr_expect_eq(log_count("used while 2 handles of this process are open: it was never closed"),
                 1);
}

/* What destroys waits before it does: nothing has changed while the lock is there. */
Test(use, what_destroys_waits_before_it_does)
{
    static const char *const uses[] = {
        "open(P, 'wb').close()",
        "os.open(P, os.O_RDWR | os.O_TRUNC)",
        "os.symlink(P, D + '.link'); open(D + '.link', 'wb').close()",
        "os.unlink(P)",
        "os.remove(P)",
        "os.unlink('chroma.sqlite3', dir_fd=os.open(D, 0))",
        "os.rename(P, P + '.old')",
        "os.rename(D, D + '.old')",
        "open(P + '.new', 'w').close(); os.replace(P + '.new', P)",
        "shutil.rmtree(D)",
    };
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        struct process p = user();
        open_store(&p, "delete");
        run(&p, "c.close()");
        expect_waits_before(&p, uses[i]);
    }
}

/* What it writes and does not read is no database that it has open: who copies a store does not
 * wait at the close of the copy. */
Test(use, a_copy_that_the_program_writes_counts_for_no_close)
{
    char copy[PATH_MAX + 8];
    snprintf(copy, sizeof copy, "%s/chroma.sqlite3", in_dir("copy"));
    struct process p = user();
    open_store(&p, "delete");
    expect(&p, "C = D + '/copy/chroma.sqlite3'; os.mkdir(D + '/copy'); shutil.copyfile(P, C)",
           "None");
    struct process holder = hold("posix", copy, 3000);
    expect_passes(&p, "shutil.copyfile(P, C)");
    kill_now(&holder);
    holder = hold("posix", copy, 300);
    expect_waits(&p, &holder, "open(C, 'r+b').close()");
    run(&p, "c.close()");
    user_ends(&p);
}

/* A process that has seen no engine copies, uploads and removes as ever. */
Test(use, a_process_without_an_engine_waits_for_nobody)
{
    struct process p = user();
    struct process holder = hold("posix", world.primary, 3000);
    expect_passes(&p, "os.listdir(D)");
    expect_passes(&p, "open(P, 'rb').read()");
    expect_passes(&p, "os.rename(P, P + '2'); os.rename(P + '2', P)");
    user_ends(&p);
    kill_now(&holder);
}

Test(use, with_sqlites_own_files_and_syncs_there_is_no_use)
{
    char record[PATH_MAX + 16];
    snprintf(record, sizeof record, "%s.record", world.log);
    struct process p = user_with(OPTIONS("--record", record));
    open_store(&p, "delete"); /* each transaction creates, syncs and removes a journal, */
    run(&p, "c.execute('pragma synchronous=full')"); /* and syncs the directory */
    expect(&p, "for i in range(20): c.execute('insert into t values (1)'); c.commit()", "None");
    run(&p, "c.execute('pragma journal_mode=wal').fetchall(); c.execute('insert into t values "
            "(2)'); c.commit()");
    run(&p, "d = sqlite3.connect(P); d.execute('select * from t').fetchall(); d.close()");
    run(&p, "e = sqlite3.connect('file:' + P + '?mode=ro', uri=True)");
    run(&p, "e.execute('select * from t').fetchall(); e.close()");
    run(&p, "c.close()");
    user_ends(&p);
    cr_expect_eq(log_count("used while"), 0);
    char command[3 * PATH_MAX];
    snprintf(command, sizeof command, "grep -q 'store opened' '%s' && ! grep 'store used' '%s'",
             record, record);
    cr_expect_eq(system(command), 0);
}

/* --- what it waits for --- */

/* Without the rule, the other process, which is at its commit, gives up: "database is locked". */
Test(use, while_the_engine_has_a_lock_no_use_waits)
{
    static const char *const begins[] = {
        "r = c.execute('select a from t'); r.fetchone()",
        "c.execute('begin'); c.execute('select a from t').fetchall()"};
    static const char *const ends[] = {"r.fetchall()", "c.rollback()"};
    for (size_t i = 0; i < 2; i++) {
        struct process p = user();
        open_store(&p, "delete");
        run(&p, "c.executemany('insert into t values (?)', [(i,) for i in range(5000)]); "
                "c.commit(); c.isolation_level = None");
        run(&p, begins[i]);
        struct process other = PLAIN("/usr/bin/python3", "-c",
                                     "import sqlite3, sys\n"
                                     "c = sqlite3.connect(sys.argv[1], timeout=0.8)\n"
                                     "c.execute('insert into t values (1)')\n"
                                     "print('locked', flush=True)\n"
                                     "c.commit()\n"
                                     "print('committed', flush=True)\n",
                                     world.primary);
        await_line(&other, "locked");
        sleep_ms(50); /* it is at its commit */
        expect_passes(&p, "os.listdir(D)");
        expect_passes(&p, "f = open(P + '', 'rb')");
        run(&p, ends[i]);
        cr_expect_neq(await_line(&other, "committed"), 0);
        cr_expect_eq(finish(&other), 0, "%s", errors_of(&other));
        run(&p, "c.close()");
        user_ends(&p);
        unlink(world.primary);
    }
}

/* Not even for connections of its own that go away. */
Test(use, while_the_engine_has_a_lock_none_waits_for_its_other_connections)
{
    struct process p = user_with(OPTIONS("--fallback-delay", "900ms"));
    open_store(&p, "delete");
    run(&p, "c.executemany('insert into t values (?)', [(i,) for i in range(5000)]); c.commit()");
    run(&p, "stop = threading.Event(); t = later(stop.wait)");
    run(&p, "d = sqlite3.connect(P); d.execute('select * from t').fetchone(); d.close()");
    run(&p, "r = c.execute('select a from t'); r.fetchone()");
    expect_passes(&p, "os.listdir(D)");
    run(&p, "r.fetchall(); d = sqlite3.connect(P); d.execute('select a from t').fetchall()");
    run(&p, "d.close()");
    const long ms = run(&p, "os.listdir(D)");
    cr_expect_geq(ms, 500, "without a lock: %ld ms", ms);
    run(&p, "stop.set(); t.join(); c.close()");
    user_ends(&p);
}

Test(use, connections_that_come_and_go_make_no_use_longer)
{
    struct process p = user();
    open_store(&p, "delete");
    run(&p, "stop = threading.Event()");
    run(&p, "t = later(come_and_go, stop)");
    sleep_ms(100);
    for (int i = 0; i < 5; i++) {
        long ms = run(&p, "os.listdir(D)");
        cr_expect_lt(ms, 500, "%ld ms", ms);
    }
    run(&p, "stop.set(); t.join(); c.close()");
    user_ends(&p);
}

/* Each closes on a thread of its own, after the call that the program takes for the close. */
Test(use, while_connections_go_away_a_use_waits_for_that)
{
    static const char *const levels[] = {"settled", "pending"};
    for (size_t i = 0; i < 2; i++) {
        struct process p = user_with(OPTIONS("--at-use", levels[i]));
        open_store(&p, "delete");
        run(&p, "all = [sqlite3.connect(P, check_same_thread=False) for i in range(6)]");
        run(&p, "for one in all: one.execute('select * from t').fetchall()");
        run(&p, "c.close(); all.pop().close()");
        run(&p, "t = later(go_away, all)"); /* in 150 ms */
        long ms = run(&p, "os.listdir(D)");
        cr_expect_geq(ms, 100, "%s: %ld ms", levels[i], ms);
        expect_passes(&p, "t.join()");
        user_ends(&p);
        unlink(world.primary);
    }
    cr_expect_eq(log_count("used while"), 0, "it was closed in time");
}

Test(use, a_close_on_another_thread_is_joined_until_its_wait_has_ended)
{
    static const char *const levels[] = {"settled", "pending"};
    char record[PATH_MAX + 16], command[3 * PATH_MAX];
    snprintf(record, sizeof record, "%s.record", world.log);
    for (size_t i = 0; i < 2; i++) {
        struct process p = user_with(OPTIONS("--at-use", levels[i], "--record", record));
        run(&p, "c = sqlite3.connect(P, check_same_thread=False)");
        run(&p, "c.execute('create table t(a)'); c.commit()");
        struct process holder = hold("posix", world.primary, 300);
        run(&p, "t = later(c.close)");
        sleep_ms(50);
        expect_waits(&p, &holder, "f = open(P, 'rb')");
        run(&p, "t.join()");
        user_ends(&p);
        unlink(world.primary);
    }
    cr_expect_eq(log_count("opened again"), 0, "the program's own copy ends no wait of its worker");
    snprintf(command, sizeof command,
             "test $(grep -c '\"store used\".*\"outcome\":\"settled after waiting\"' '%s') = 2",
             record);
    cr_expect_eq(system(command), 0);
}

Test(use, what_timed_out_is_not_waited_for_again_until_it_was_seen_free)
{
    struct process p = user_with(OPTIONS("--max-wait", "1"));
    open_store(&p, "delete");
    struct process holder = writer(2500);
    long ms = run(&p, "os.listdir(D)");
    cr_expect_geq(ms, 990, "%ld ms", ms);
    expect_passes(&p, "os.listdir(D)");
    expect_passes(&p, "os.listdir(D)");
    released_at(&holder);
    expect_passes(&p, "os.listdir(D)");
    holder = writer(250);
    expect_waits(&p, &holder, "os.listdir(D)");
    run(&p, "c.close()");

    holder = hold("posix", world.primary, 2500); /* nothing is open now */
    ms = run(&p, "os.listdir(D)");
    cr_expect_geq(ms, 990, "%ld ms", ms);
    expect_passes(&p, "os.listdir(D)");
    kill_now(&holder);
    user_ends(&p);
}

Test(use, a_connection_that_only_reads_is_in_nobodys_way)
{
    struct process p = user();
    open_store(&p, "wal");
    struct process other = PLAIN("/usr/bin/python3", "-c",
                                 "import sqlite3, sys\n"
                                 "c = sqlite3.connect(sys.argv[1])\n"
                                 "r = c.execute('select * from sqlite_master'); r.fetchone()\n"
                                 "print('reading', flush=True)\n"
                                 "sys.stdin.read()\n",
                                 world.primary);
    await_line(&other, "reading");
    expect_passes(&p, "os.listdir(D)");
    expect_passes(&p, "f = open(P, 'rb')");
    run(&p, "c.close()");
    user_ends(&p);
    finish(&other);
}

/* What it holds is on the -shm alone, as what a writer holds is. */
Test(use, who_checkpoints_writes)
{
    struct process p = user();
    open_store(&p, "wal");
    struct process other = PLAIN("build/programs/keeper");
    cr_assert_geq(say(&other, "engine S -", in_dir("chroma.sqlite3-shm")).result, 0);
    cr_assert_eq(step(&other, "lock S - checkpoint").result, 0);
    send_line(&p, "os.listdir(D)");
    cr_expect(!says(&p, "", 300));
    cr_expect_eq(step(&other, "unlock S").result, 0);
    await_line(&p, "");
    finish(&other);
    run(&p, "c.close()");
    user_ends(&p);
}

/* First for connections that go away, which takes most of it, then for who writes. */
Test(use, both_of_its_waits_together_take_no_longer_than_one)
{
    struct process p = user_with(OPTIONS("--max-wait", "1", "--fallback-delay", "900ms"));
    open_store(&p, "delete");
    run(&p, "t = later(time.sleep, 20)");
    run(&p, "d = sqlite3.connect(P); d.execute('select * from t').fetchall()");
    run(&p, "d.close()");
    struct process holder = hold("posix", world.primary, 10000);
    const long ms = run(&p, "os.listdir(D)");
    cr_expect_geq(ms, 990, "%ld ms", ms);
    cr_expect_lt(ms, 1600, "%ld ms", ms);
    kill_now(&holder);
    kill_now(&p);
}

Test(use, off_and_pending_wait_for_no_other_process)
{
    static const char *const levels[] = {"off", "pending"};
    for (size_t i = 0; i < 2; i++) {
        struct process p = user_with(OPTIONS("--at-use", levels[i]));
        open_store(&p, "delete");
        struct process holder = writer(1000);
        expect_passes(&p, "os.listdir(D)");
        expect_passes(&p, "f = open(P, 'rb')");
        expect_passes(&p, "os.system('true ' + D)");
        kill_now(&holder);
        run(&p, "c.close()");
        user_ends(&p);
        cr_expect_eq(log_count("used while"), i, "%s", levels[i]);
        unlink(world.primary);
    }
}

/* --- children --- */

Test(use, a_child_with_the_store_among_its_arguments_counts_and_another_does_not)
{
    static const char *const named[] = {
        "spawn('cp', P)",
        "spawn('rsync', '--source=' + D, '/to')",
        "spawn('scp', 'host:' + P)",
        "spawn('tar', os.path.dirname(D))",
        "os.system('cd ' + os.path.dirname(D) + ' && tar cf /dev/null x')",
        "os.system('true ' + D + '/*')",
    };
    struct process p = user();
    open_store(&p, "delete");
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        struct process holder = writer(250);
        expect_waits(&p, &holder, named[i]);
    }
    struct process holder = writer(3000);
    expect_passes(&p, "spawn('ls', '/')");
    expect_passes(&p, "spawn('ls', '/usr', '--dir=/nonexistent')");
    expect_passes(&p, "os.system('true')");
    expect_passes(&p, "subprocess.run(['true'])");
    kill_now(&holder);
    run(&p, "c.close()");
    user_ends(&p);
}

Test(use, a_fork_child_waits_for_nobody)
{
    struct process p = user();
    open_store(&p, "delete");
    struct process holder = writer(2000);
    expect(&p, "in_child(lambda: os.listdir(D))", "0");
    expect(&p, "in_child(lambda: open(P, 'rb').close())", "0");
    kill_now(&holder);
    run(&p, "c.close()");
    user_ends(&p);
}

/* --- SETTLE_TRIGGER=use --- */

Test(use, with_trigger_use_closes_return_at_once_and_the_next_use_waits)
{
    struct process p = user_with(OPTIONS("--trigger", "use"));
    open_store(&p, "delete");
    struct process holder = hold("posix", world.primary, 500);
    expect_passes(&p, "c.close()");
    expect_waits(&p, &holder, "os.listdir(D)");
    expect_passes(&p, "os.listdir(D)");
    user_ends(&p);
}

static void expect_end_at_once(struct process *p)
{
    struct process holder = hold("posix", world.primary, 10000);
    const uint64_t began = now_ns();
    user_ends(p);
    cr_expect_lt(now_ns() - began, PROMPTLY);
    cr_expect_eq(log_count("still locked after"), 0);
    kill_now(&holder);
}

/* What has settled at a use is owed by no end. */
Test(use, with_trigger_use_the_exit_waits_for_none_that_a_use_has_seen_free)
{
    struct process p = user_with(OPTIONS("--trigger", "use"));
    open_store(&p, "delete");
    run(&p, "c.close()");
    expect_passes(&p, "os.listdir(D)");
    expect_end_at_once(&p);
}

Test(use, with_trigger_use_the_exit_waits_for_none_where_it_is_told_not_to)
{
    struct process p = user_with(OPTIONS("--trigger", "use", "--at-exit", "off"));
    open_store(&p, "delete");
    run(&p, "c.close()");
    expect_end_at_once(&p);
}

/* Three stores, of which the first is let go of after 500 ms: all within one max_wait. */
static void expect_end_waits(const char *statement)
{
    struct process holders[3];
    struct process p = user_with(OPTIONS("--trigger", "use", "--stores", "chroma:sqlite"));
    for (int i = 0; i < 3; i++) {
        char line[PATH_MAX + 128];
        snprintf(line, sizeof line,
                 "c = sqlite3.connect(D + '/%d.db'); c.execute('create table t(a)'); c.commit(); "
                 "c.close()",
                 i);
        cr_expect_lt(run(&p, line), 2 * SOON);
        cr_expect_str_eq(answer, "None");
    }
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.db", i);
        holders[i] = hold_until_told("posix", in_dir(name));
    }
    uint64_t began = now_ns();
    send_line(&p, statement);
    sleep_ms(500);
    send_line(&holders[0], "");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    uint64_t took = (now_ns() - began) / MS;
    cr_expect_geq(took, 1900, "%s: %llu ms", statement, (unsigned long long)took);
    cr_expect_lt(took, 2900, "%s: %llu ms", statement, (unsigned long long)took);
    cr_expect_eq(log_count("File unlocked after polling") + log_count("unlocked at once: "), 1,
                 "%s", statement);
    cr_expect_eq(log_count("still locked after"), 2, "%s", statement);
    for (int i = 0; i < 3; i++) {
        kill_now(&holders[i]);
    }
}

Test(use, with_trigger_use_the_exit_waits_for_all_stores_together)
{
    expect_end_waits("sys.exit()");
}

Test(use, with_trigger_use_exec_waits_for_all_stores_together)
{
    expect_end_waits("os.execv('/bin/true', ['true'])");
}

/* --- who only reads --- */

/* A wait would be 2 s more. */
Test(use, programs_that_only_read_a_live_store_take_as_long_as_without)
{
    struct process owner = PLAIN("/usr/bin/python3", "tests/e2e/programs/user.py", world.dir);
    open_store(&owner, "wal");
    static const char *const scripts[] = {
        "cat \"$1\" >/dev/null",
        "head -c 16 \"$1\" >/dev/null",
        "sha256sum \"$1\" >/dev/null",
        "file \"$1\" >/dev/null",
        "tar cf /dev/null -C \"$2\" .",
        "cp -r \"$2\" \"$2.copy\" && rm -r \"$2.copy\"",
        "gzip -c \"$1\" >/dev/null",
        "grep -c x \"$1\" >/dev/null; :",
        "git hash-object \"$1\" >/dev/null",
        "git init -q \"$2.git\" && git --git-dir \"$2.git/.git\" --work-tree \"$2\" add . && rm -r "
        "\"$2.git\"",
        "python3 -c 'open(\"'\"$1\"'\", \"rb\").read()'",
    };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        const char *command[] = {"sh", "-c", scripts[i], "sh", world.primary, world.dir, NULL};
        uint64_t began = now_ns();
        struct process p = spawn_plain(command);
        cr_assert_eq(finish(&p), 0, "%s: %s", scripts[i], errors_of(&p));
        uint64_t without = now_ns() - began;
        began = now_ns();
        p = spawn_shimmed((const char *const[]){NULL}, command);
        cr_expect_eq(finish(&p), 0, "%s: %s", scripts[i], errors_of(&p));
        cr_expect_lt(now_ns() - began, without + 1000 * (uint64_t)MS, "%s", scripts[i]);
    }
    cr_expect_eq(log_waits(), log_count("unlocked at once: "), "the copy alone was written");
    run(&owner, "c.close()");
    user_ends(&owner);
}

Test(use, a_reader_that_stays_open_keeps_no_close_from_waiting)
{
    struct process p = user();
    open_store(&p, "delete");
    run(&p, "f = open(P, 'rb'); g = os.open(P, os.O_RDONLY | os.O_NOFOLLOW)");
    struct process holder = hold("posix", world.primary, 300);
    expect_waits(&p, &holder, "c.close()");
    unsigned waits = log_waits();
    holder = hold("posix", world.primary, 2000);
    expect_passes(&p, "f.close(); os.close(g)");
    cr_expect_eq(log_waits(), waits);
    kill_now(&holder);
    user_ends(&p);
}

/* In a database that is known by its content; others are seen at each open. */
static void expect_close_waits_after(const char *opens)
{
    const char *database = in_dir("app.db");
    struct process maker = PLAIN("/usr/bin/python3", "-c",
                                 "import sqlite3, sys\n"
                                 "sqlite3.connect(sys.argv[1]).execute('create table t(a)')",
                                 database);
    cr_assert_eq(finish(&maker), 0);
    struct process p = user_with(OPTIONS("--stores", "sqlite"));
    run(&p, "P = D + '/app.db'");
    run(&p, opens);
    run(&p, "c = sqlite3.connect(P); c.execute('insert into t values (1)'); c.commit()");
    struct process holder = hold("posix", database, 300);
    expect_waits(&p, &holder, "c.close()");
    user_ends(&p);
    unlink(database);
}

Test(use, a_reader_from_before_the_engine_keeps_no_close_from_waiting)
{
    expect_close_waits_after("f = os.open(P, os.O_RDONLY)");
}

/* Also by a number that was a reader's before. */
Test(use, what_only_names_the_file_is_no_handle)
{
    expect_close_waits_after("f = os.open(P, os.O_PATH)");
    expect_close_waits_after("os.close(os.open('/dev/null', os.O_RDONLY));"
                             "f = os.open(P, os.O_PATH)");
    struct process p = user_with(OPTIONS("--dir", world.dir));
    run(&p, "f = open(D + '/index', 'w'); g = os.open(D + '/index', os.O_PATH)");
    struct process holder = hold("posix", in_dir("index"), 300);
    expect_waits(&p, &holder, "f.close()");
    user_ends(&p);
}

Test(use, with_trigger_every_and_in_directories_that_were_named_readers_count)
{
    struct process p = user_with(OPTIONS("--trigger", "every"));
    run(&p, "f = os.open(P, os.O_RDONLY)");
    struct process holder = hold("posix", world.primary, 300);
    expect_waits(&p, &holder, "os.close(f)");
    user_ends(&p);

    p = user_with(OPTIONS("--dir", world.dir, "--stores", "sqlite"));
    run(&p, "open(D + '/index', 'w').close(); f = os.open(D + '/index', os.O_RDONLY)");
    holder = hold("posix", in_dir("index"), 300);
    expect_waits(&p, &holder, "os.close(f)");
    user_ends(&p);
}

/* --- what is told --- */

Test(use, the_record_has_each_use_with_what_it_was_and_what_came_of_it)
{
    char record[PATH_MAX + 16];
    snprintf(record, sizeof record, "%s.record", world.log);
    struct process p = user_with(OPTIONS("--record", record));
    open_store(&p, "delete");
    run(&p, "os.listdir(D)");
    struct process holder = writer(200);
    run(&p, "f = open(P, 'rb')");
    finish(&holder);
    run(&p, "f.close(); c.close(); os.rename(P, P + '.old')");
    user_ends(&p);
    struct process report =
        PLAIN("/usr/bin/python3", "-c",
              "import json, sys\n"
              "for line in open(sys.argv[1]):\n"
              "    one = json.loads(line)\n"
              "    if one['event'] == 'store used':\n"
              "        print(one['what'], one['outcome'], one['handles'], one['elapsed'] > 0.1)\n",
              record);
    static const char *const expected[] = {"list settled at once 1 False\n",
                                           "open settled after waiting 1 True\n",
                                           "rename settled at once 0 False\n"};
    char line[512];
    for (size_t i = 0; i < 3; i++) {
        cr_assert(read_line(&report, line, sizeof line));
        cr_expect_str_eq(line, expected[i]);
    }
    finish(&report);
}
