/* The record: what it says, and that each line of it stays whole. Read by SQLite's JSON functions.
 */
#include "e2e.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(records, .init = world_begin, .fini = world_end, .timeout = 120);

/* The record's path, next to the log. */
static const char *record(void)
{
    static char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s.record", world.log);
    return path;
}

/* The first row of a query over the lines of a record: table `line` with columns n and j. */
static const char *ask_of(const char *path, const char *query)
{
    static char answer[2048];
    char script[PATH_MAX + 1024];
    snprintf(script, sizeof script,
             ".mode ascii\n.separator \"\\001\" \"\\n\"\n"
             "create temp table line(j);\n.import '%s' line\n.mode list\n.separator |\n%s;\n",
             path, query);
    struct process p = PLAIN("/usr/bin/sqlite3", ":memory:");
    send_line(&p, script);
    close(p.in);
    p.in = -1;
    if (fgets(answer, sizeof answer, p.out) == NULL)
        answer[0] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    finish(&p);
    const char *errors = errors_of(&p);
    return errors[0] == '\0' ? answer : errors;
}

static const char *ask(const char *query)
{
    return ask_of(record(), query);
}

static struct process close_recorded(const char *path)
{
    struct process p = SHIMMED_WITH(OPTIONS("--record", record()), "/usr/bin/python3",
                                    "tests/e2e/programs/closer.py", path);
    await_line(&p, "open");
    return p;
}

static void finish_closing(struct process *p)
{
    send_line(p, "close");
    await_line(p, "closed");
    cr_expect_eq(finish(p), 0, "%s", errors_of(p));
}

Test(records, a_store_its_handles_and_its_wait_are_told_in_order)
{
    struct process p = close_recorded(world.primary);
    struct process holder = hold("posix-read", world.primary, 300);
    finish_closing(&p);
    released_at(&holder);
    cr_expect_str_eq(ask("select group_concat(j ->> 'event', ', ') from line where "
                         "coalesce(j ->> 'role', '') <> 'sidecar'"),
                     "store opened, handle opened, handle closed, wait begun, wait ended, exit");
    cr_expect_str_eq(
        ask("select count(*), min(j ->> 'settle'), count(distinct j ->> 'pid'), "
            "min(j ->> 'program') like '/usr/bin/python3%' from line where json_valid(j)"),
        ask("select count(*), 1, 1, 1 from line"));
    char expected[PATH_MAX + 64];
    snprintf(expected, sizeof expected, "%s|chroma|settled after waiting|unlocked|2.0|1",
             world.primary);
    cr_expect_str_eq(ask("select j ->> 'store', j ->> 'profile', j ->> 'outcome', j ->> 'level', "
                         "j ->> 'max_wait', j ->> 'elapsed' > 0.05 from line where j ->> 'event' = "
                         "'wait ended'"),
                     expected);
}

Test(records, a_wait_that_timed_out_names_who_held_the_store)
{
    struct process p =
        SHIMMED_WITH(OPTIONS("--record", record(), "--max-wait", "100ms"), "/usr/bin/python3",
                     "tests/e2e/programs/closer.py", world.primary);
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 600);
    finish_closing(&p);
    char expected[64];
    snprintf(expected, sizeof expected, "timed out|%d|POSIX write lock|0", (int)holder.pid);
    cr_expect_str_eq(ask("select j ->> 'outcome', j ->> '$.holders[0].pid', j ->> "
                         "'$.holders[0].kind', j ->> 'handles' from line where j ->> 'event' = "
                         "'wait ended'"),
                     expected);
    released_at(&holder);
}

/* The look for holders takes a second helper milliseconds, so it has begun long before. */
static void expect_named(const char *kind, const char *named, bool has_command)
{
    struct process p = close_recorded(world.primary);
    struct process holder = hold(kind, world.primary, 700);
    finish_closing(&p);
    released_at(&holder);
    char expected[PATH_MAX + 128];
    snprintf(expected, sizeof expected, "settled after waiting|1|%d|%s|%s|%s", (int)holder.pid,
             named, has_command ? "holder" : "", world.primary);
    cr_expect_str_eq(ask("select j ->> 'outcome', json_array_length(j, '$.holders'), "
                         "j ->> '$.holders[0].pid', j ->> '$.holders[0].kind', "
                         "j ->> '$.holders[0].command', j ->> '$.holders[0].file' "
                         "from line where j ->> 'event' = 'wait ended'"),
                     expected);
}

Test(records, a_wait_that_settled_names_who_held_a_posix_lock)
{
    expect_named("posix", "POSIX write lock", true);
}

Test(records, a_wait_that_settled_names_who_held_an_ofd_lock)
{
    expect_named("ofd", "OFD lock", true);
}

Test(records, a_wait_that_settled_names_who_held_a_flock)
{
    expect_named("flock", "flock", true);
}

Test(records, a_wait_that_settled_names_sqlites_lock)
{
    struct process p = close_recorded(world.primary);
    struct process holder = PLAIN("/usr/bin/python3", "-c",
                                  "import sqlite3, sys, time\n"
                                  "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                                  "c.execute('begin immediate')\n"
                                  "print('held', flush=True)\n"
                                  "time.sleep(0.7)\n"
                                  "c.execute('rollback')\n",
                                  world.primary);
    await_line(&holder, "held");
    finish_closing(&p);
    cr_expect_eq(finish(&holder), 0, "%s", errors_of(&holder));
    cr_expect_str_eq(ask("select j ->> 'outcome', exists (select 1 from json_each(j, '$.holders') "
                         "where value ->> 'lock' = 'RESERVED' and value ->> 'command' like "
                         "'python3%') from line where j ->> 'event' = 'wait ended'"),
                     "settled after waiting|1");
}

/* 30 waits end at any time of the look, whose memory is left to it then and used again. */
Test(records, a_wait_does_not_stay_for_the_names)
{
    struct process p =
        SHIMMED_WITH(OPTIONS("--record", record(), "--trigger", "every"), "/usr/bin/python3", "-c",
                     "import fcntl, os, sys, threading, time\n"
                     "other = os.open(sys.argv[1], os.O_RDWR)\n"
                     "for i in range(30):\n"
                     "    fd = os.open(sys.argv[1], os.O_RDWR)\n"
                     "    fcntl.flock(other, fcntl.LOCK_EX)\n"
                     "    t = threading.Timer(0.008 + i * 0.0005, fcntl.flock, "
                     "(other, fcntl.LOCK_UN))\n"
                     "    t.start()\n"
                     "    os.close(fd)\n"
                     "    t.join()\n",
                     world.primary);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_str_eq(ask("select count(*), sum(j ->> 'outcome' = 'settled after waiting') > 15, "
                         "sum(j ->> 'outcome' = 'settled after waiting' and "
                         "json_array_length(j, '$.holders') = 0) from line "
                         "where j ->> 'event' = 'wait ended'"),
                     "30|1|0");
}

/* Each of them is a thread that has to be made: what a record costs. */
Test(records, one_helper_writes_the_lines_of_an_open_and_that_of_the_wait_those_of_a_close)
{
    char trace[PATH_MAX + 16], command[2 * PATH_MAX];
    snprintf(trace, sizeof trace, "%s.trace", world.log);
    struct process p = SHIMMED_WITH(OPTIONS("--record", record(), "--log", "warn"), "strace", "-f",
                                    "-o", trace, "-e", "trace=clone", "build/programs/stepper");
    cr_assert_geq(say(&p, "open a -", world.primary).result, 0);
    cr_assert_eq(step(&p, "close a").result, 0);
    cr_assert_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_str_eq(ask("select group_concat(j ->> 'event', ', ') from line where "
                         "j ->> 'program' like '%stepper'"),
                     "store opened, handle opened, handle closed, wait begun, wait ended, exit");
    snprintf(command, sizeof command, "echo helpers $(grep -c 'clone(' '%s')", trace);
    struct process count = PLAIN("/bin/sh", "-c", command);
    cr_expect_eq(await_number(&count, "helpers"), 3, "one at the end");
    finish(&count);
}

Test(records, a_wait_that_lasts_is_told_before_its_end)
{
    struct process p = close_recorded(world.primary);
    struct process holder = hold_until_told("posix", world.primary);
    send_line(&p, "close");
    for (int waited = 0; waited < 100; waited++) {
        if (strcmp(ask("select count(*) from line where j ->> 'event' = 'wait begun'"), "1") == 0)
            break;
        sleep_ms(20);
    }
    cr_expect_str_eq(
        ask("select sum(j ->> 'event' = 'handle closed' and j ->> 'role' = 'primary'), "
            "sum(j ->> 'event' = 'wait begun'), sum(j ->> 'event' = 'wait ended') "
            "from line"),
        "1|1|0");
    let_go(&holder);
    await_line(&p, "closed");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* --- where no thread can be made, as by RLIMIT_NPROC --- */

/* Opens and closes a store under a limit, with log and record. */
static struct process close_without_threads(const char *limit)
{
    char preload[PATH_MAX + 16];
    char log[PATH_MAX + 32];
    char told[PATH_MAX + 32];
    char own[PATH_MAX];
    char line[PATH_MAX + 16];
    cr_assert_not_null(realpath("build/libsettle.so", own));
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", own);
    snprintf(log, sizeof log, "SETTLE_LOG_FILE=%s", world.log);
    snprintf(told, sizeof told, "SETTLE_RECORD=%s", record());
    struct process p = PLAIN("prlimit", limit, "strace", "-qqq", "-o", "/dev/null", "-e",
                             "inject=clone:error=EAGAIN", "env", preload, "SETTLE_LOG=info", log,
                             told, "build/programs/stepper");
    snprintf(line, sizeof line, "open a - %s", world.primary);
    cr_expect_eq(step(&p, line).result, 3, "the lowest number");
    cr_expect_eq(step(&p, "close a").result, 0);
    cr_expect_eq(step(&p, line).result, 3);
    return p;
}

Test(records, log_and_record_of_a_process_of_one_thread_are_written_by_itself)
{
    struct process p = close_without_threads("--fsize=unlimited");
    cr_expect_eq(finish(&p), 0);
    cr_expect_str_eq(errors_of(&p), "");
    cr_expect_eq(log_count("summary: 1 close"), 1);
    cr_expect_str_eq(ask("select sum(j ->> 'event' = 'handle opened'), "
                         "sum(j ->> 'event' = 'handle closed'), sum(j ->> 'event' = 'exit') "
                         "from line"),
                     "2|1|1");
}

Test(records, a_write_that_fails_there_raises_no_signal_in_it)
{
    struct process p = close_without_threads("--fsize=0");
    cr_expect_eq(finish(&p), 0);
}

/* --- at a process's end --- */

/* Nothing of the library runs in a process that is killed, and a thread that is left ends with it.
 */
Test(records, who_ends_right_after_the_close_has_its_lines)
{
    for (int i = 0; i < 20; i++) {
        struct process p = SHIMMED_WITH(OPTIONS("--record", record()), "/usr/bin/python3", "-c",
                                        "import os, signal, sys\n"
                                        "os.close(os.open(sys.argv[1], os.O_RDWR))\n"
                                        "os.kill(os.getpid(), signal.SIGKILL)\n",
                                        world.primary);
        cr_expect_eq(finish(&p), 128 + SIGKILL, "%s", errors_of(&p));
    }
    cr_expect_str_eq(ask("select sum(j ->> 'event' = 'handle closed'), sum(j ->> 'event' = 'wait "
                         "ended'), count(*) from line"),
                     "20|20|100");
}

/* Its lines are the helper's by then, and the thread's next ones are written as ever. */
Test(records, a_close_that_a_signal_handler_leaves_is_told)
{
    struct process holder = hold("posix", world.primary, 5000);
    struct process p = SHIMMED_WITH(OPTIONS("--record", record(), "--max-wait", "100ms"),
                                    "build/programs/leaver", world.primary, "/dev/null", "50");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_str_eq(ask("select sum(j ->> 'event' = 'handle closed') - sum(j ->> 'event' = 'wait "
                         "ended') between 0 and 2, sum(j ->> 'event' = 'handle closed') >= 45, "
                         "count(*) = sum(json_valid(j)) from line"),
                     "1|1|1");
    (void)holder;
}

Test(records, a_close_that_the_budget_has_nothing_left_for_is_told)
{
    struct process p = SHIMMED_WITH(OPTIONS("--record", record(), "--total-wait", "100ms"),
                                    "/usr/bin/python3", "-c",
                                    "import os, sys\n"
                                    "input()\n"
                                    "for i in range(3):\n"
                                    "    os.close(os.open(sys.argv[1], os.O_RDWR))\n"
                                    "print('closed', flush=True)\n",
                                    world.primary);
    struct process holder = hold("posix", world.primary, 700);
    send_line(&p, "go");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    released_at(&holder);
    cr_expect_str_eq(ask("select group_concat(j ->> 'outcome', ', '), max(j ->> 'max_wait'), "
                         "min(j ->> 'probes') from line where j ->> 'event' = 'wait ended'"),
                     "timed out, budget spent, budget spent|2.0|0");
}

Test(records, which_files_were_open_is_answered_by_the_record_alone)
{
    struct process p = close_recorded(world.primary);
    finish_closing(&p);
    char expected[2 * PATH_MAX + 16];
    snprintf(expected, sizeof expected, "%s,%s-journal", world.primary, world.primary);
    cr_expect_str_eq(
        ask("select group_concat(distinct j ->> 'file') from (select j from line where "
            "j ->> 'event' = 'handle opened' order by j ->> 'file')"),
        expected);
}

Test(records, file_names_of_any_bytes_stay_valid_json)
{
    static const char *const names[] = {"quote\"back\\slash", "line\nbreak", "latin1-\xe9",
                                        "caf\xc3\xa9"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/chroma.sqlite3", in_dir(names[i]));
        cr_assert_eq(mkdir(in_dir(names[i]), 0755), 0);
        struct process p = SHIMMED_WITH(OPTIONS("--record", record()), "/usr/bin/python3", "-c",
                                        "import os, sys\n"
                                        "os.close(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT))\n",
                                        path);
        cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    }
    struct process p = PLAIN("/usr/bin/python3", "-c",
                             "import json, os, sys\n"
                             "lines = [json.loads(line) for line in open(sys.argv[1], 'rb')]\n"
                             "for line in lines:\n"
                             "    if line['event'] == 'store opened':\n"
                             "        assert os.path.exists(os.fsencode(line['store'])), line\n"
                             "print(len({line['store'] for line in lines if 'store' in line}))\n",
                             record());
    await_line(&p, "4");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(records, lines_of_many_threads_and_processes_stay_whole)
{
    struct process p =
        SHIMMED_WITH(OPTIONS("--record", record(), "--max-wait", "20ms"), "/usr/bin/python3", "-c",
                     "import os, sys, threading\n"
                     "def work():\n"
                     "    for i in range(25):\n"
                     "        os.close(os.open(sys.argv[1], os.O_RDWR))\n"
                     "def crew():\n"
                     "    threads = [threading.Thread(target=work) for _ in range(4)]\n"
                     "    [t.start() for t in threads]\n"
                     "    [t.join() for t in threads]\n"
                     "for _ in range(3):\n"
                     "    if os.fork() == 0:\n"
                     "        crew()\n"
                     "        os._exit(0)\n"
                     "crew()\n"
                     "[os.wait() for _ in range(3)]\n",
                     world.primary);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_str_eq(
        ask("select count(*), count(distinct j ->> 'pid'), min(json_valid(j)) from line "
            "where j ->> 'event' = 'handle opened'"),
        "400|4|1");
    cr_expect_str_eq(ask("select min(json_valid(j)) from line"), "1");
}

Test(records, a_full_disk_costs_one_warning)
{
    char path[PATH_MAX];
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: a small file system needs root");
        return;
    }
    cr_assert_eq(mkdir(in_dir("small"), 0755), 0);
    cr_assert_eq(mount("none", in_dir("small"), "tmpfs", 0, "size=8k"), 0);
    snprintf(path, sizeof path, "%s", in_dir("small/record"));
    struct process p = SHIMMED_WITH(OPTIONS("--record", path), "/usr/bin/python3", "-c",
                                    "import os, sys\n"
                                    "for i in range(30):\n"
                                    "    os.close(os.open(sys.argv[1], os.O_RDWR))\n",
                                    world.primary);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_count("SETTLE_RECORD='"), 1);
    cr_expect(log_has("cannot be written (ENOSPC), the record is incomplete"));
    cr_expect_eq(umount(in_dir("small")), 0);
}

Test(records, without_the_setting_there_is_none)
{
    struct process p = SHIMMED("/usr/bin/python3", "tests/e2e/programs/closer.py", world.primary);
    await_line(&p, "open");
    finish_closing(&p);
    cr_expect_neq(access(record(), F_OK), 0);
}
