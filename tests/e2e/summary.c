/* The line at the end of a process, and of several: what was done, or what would have been. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

TestSuite(summary, .init = world_begin, .fini = world_end, .timeout = 60);

#define PYTHON(script, ...) "/usr/bin/python3", "-c", script, __VA_ARGS__

static const char opens_and_closes[] =
    "import sqlite3, sys\n"
    "for path in sys.argv[1:]:\n"
    "    c = sqlite3.connect(path, timeout=0)\n"
    "    try: c.execute('select * from sqlite_master').fetchall()\n"
    "    except sqlite3.OperationalError: pass\n"
    "    c.close()\n";

static void expect_summary(struct process *p, const char *words)
{
    cr_expect_eq(finish(p), 0, "%s", errors_of(p));
    cr_expect_eq(log_count(": summary: "), 1);
    cr_expect(log_has(words), "no '%s'", words);
}

Test(summary, counts_closes_and_how_long_they_waited)
{
    struct process holder = hold("posix", world.primary, 400);
    struct process p = SHIMMED(PYTHON(opens_and_closes, world.primary, world.primary));
    expect_summary(&p, "summary: 2 closes and 0 uses of stores: 1 waited, 0.");
    cr_expect(log_has(" in all and 0."));
    cr_expect_not(log_has("timed out\n"));
    released_at(&holder);
}

Test(summary, counts_uses_time_outs_and_stores_that_were_never_closed)
{
    struct process holder = hold("posix", world.primary, 30000);
    struct process p =
        SHIMMED_WITH(OPTIONS("--max-wait", "200ms"),
                     PYTHON("import ctypes, os, sqlite3, sys\n"
                            "c = sqlite3.connect(sys.argv[1], timeout=0)\n"
                            "try: c.execute('select * from sqlite_master').fetchall()\n"
                            "except sqlite3.OperationalError: pass\n"
                            "c.close()\n"
                            "c = sqlite3.connect(sys.argv[1])\n"
                            "c.execute('pragma cache_size').fetchall()\n"
                            "os.listdir(os.path.dirname(sys.argv[1]))\n"
                            "ctypes.pythonapi.Py_IncRef(ctypes.py_object(c))\n",
                            world.primary));
    expect_summary(&p, "1 timed out, 1 store was never closed");
    kill(holder.pid, SIGKILL);
    finish(&holder);
}

/* At the end, before a library is told of it; and into a file by whoever has one. */
Test(summary, is_said_by_programs_that_close_their_standard_error_as_coreutils_do)
{
    struct process p = PLAIN("scripts/settle", "--summary", "cat", world.primary);
    cr_expect_eq(finish(&p), 0);
    cr_expect_not_null(strstr(errors_of(&p), "summary: 0 closes and 0 uses of stores: none had"),
                       "%s", errors_of(&p));
    p = PLAIN("scripts/settle", "--log", "info", "cat", "/dev/null");
    cr_expect_eq(finish(&p), 0);
    cr_expect_not_null(strstr(errors_of(&p), "summary: no store was opened"), "%s", errors_of(&p));
    p = SHIMMED("cat", world.primary);
    expect_summary(&p, "summary: 0 closes and");
}

Test(summary, is_said_once_where_standard_error_is_closed_early)
{
    static const char early[] = "import ctypes, os, sys\n"
                                "libc = ctypes.CDLL(None)\n"
                                "kept = os.dup(2)\n"
                                "libc.fclose(ctypes.c_void_p.in_dll(libc, 'stderr'))\n"
                                "os.dup2(kept, 2)\n";
    struct process p = PLAIN("scripts/settle", "--summary", PYTHON(early, "x"));
    cr_expect_eq(finish(&p), 0);
    const char *first = strstr(errors_of(&p), ": summary: ");
    cr_assert_not_null(first, "%s", errors_of(&p));
    cr_expect_null(strstr(first + 1, ": summary: "), "%s", errors_of(&p));
}

/* dash does, and workers that Python has forked; it runs no destructors. */
Test(summary, is_said_by_who_ends_by__exit_too)
{
    struct process p = SHIMMED("dash", "-c", ": 5<>\"$1\"", "dash", world.primary);
    expect_summary(&p, "summary: 1 close and 0 uses of stores: none had to wait");
}

Test(summary, is_not_said_of_forked_children_that_used_no_store)
{
    struct process p = SHIMMED(PYTHON("import os, subprocess, sys\n"
                                      "if os.fork() == 0: os._exit(0)\n"
                                      "os.wait()\n"
                                      "try: subprocess.run(['/nowhere'])\n" /* vfork, _exit */
                                      "except FileNotFoundError: pass\n"
                                      "if os.fork() == 0:\n"
                                      "    os.close(os.open(sys.argv[1], os.O_RDWR))\n"
                                      "    os._exit(0)\n"
                                      "os.wait()\n"
                                      "os._exit(0)\n",
                                      world.primary));
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_count(": summary: 1 close and 0 uses"), 1);
    cr_expect_eq(log_count(": summary: no store was opened"), 1);
    cr_expect_eq(log_count(": summary: "), 2);
}

Test(summary, says_what_was_looked_for_and_what_would_have_found_a_database)
{
    char words[PATH_MAX + 256];
    const char *database = in_dir("app.db");
    struct process made = PLAIN("sqlite3", database, "create table t(a)");
    finish(&made);
    struct process p = SHIMMED(PYTHON(opens_and_closes, database));
    snprintf(
        words, sizeof words,
        "summary: no store was opened; looked for: chroma (SETTLE_STORES). The SQLite database "
        "%s was opened: --stores chroma:sqlite tracks it",
        database);
    expect_summary(&p, words);
    struct process q = PLAIN("scripts/settle", "--log", "info", "--stores", "chroma:sqlite", "--",
                             PYTHON(opens_and_closes, database));
    cr_expect_eq(finish(&q), 0);
    cr_expect_not_null(strstr(errors_of(&q), "summary: 1 close and 0 uses"), "%s", errors_of(&q));
}

/* Compiled into its module, SQLite opens its files by open alone. */
Test(summary, knows_a_database_by_its_content_too)
{
    const char *database = in_dir("app.db");
    struct process made = PLAIN("sqlite3", database, "create table t(a)");
    finish(&made);
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "open a -", database);
    step(&p, "close a");
    expect_summary(&p, "app.db was opened: --stores chroma:sqlite tracks it");
}

Test(summary, says_what_would_have_found_another_file)
{
    char words[2 * PATH_MAX + 128];
    struct process p =
        SHIMMED(PYTHON("import sys; open(sys.argv[1], 'w+b').write(b'abc')", in_dir("index")));
    snprintf(words, sizeof words, "A file in %s was opened to be written: --dir %s tracks it",
             world.dir, world.dir);
    expect_summary(&p, words);
}

Test(summary, of_what_only_reads_says_what_was_looked_for)
{
    struct process p = SHIMMED_WITH(OPTIONS("--dir", world.dir),
                                    PYTHON("open(__import__('sys').argv[1], 'rb')", "/etc/passwd"));
    expect_summary(&p,
                   "summary: no store was opened; looked for: chroma (SETTLE_STORES), and files "
                   "in ");
    cr_expect_not(log_has("tracks it"));
}

Test(summary, is_the_only_line_on_request)
{
    struct process p = PLAIN("scripts/settle", "--log", "off", "--summary", "--",
                             PYTHON(opens_and_closes, world.primary));
    cr_expect_eq(finish(&p), 0);
    const char *said = errors_of(&p);
    cr_expect_not_null(strstr(said, "]: summary: 1 close and 0 uses of stores: none had to wait\n"),
                       "%s", said);
    cr_expect_eq(strchr(said, '\n'), said + strlen(said) - 1, "%s", said);

    struct process q = PLAIN("scripts/settle", "--", PYTHON(opens_and_closes, world.primary));
    cr_expect_eq(finish(&q), 0);
    cr_expect_str_empty(errors_of(&q));
}

Test(summary, after_the_command_is_one_for_all_processes_together)
{
    struct process p =
        PLAIN("scripts/settle", "--log", "off", "--summary", "--after", "--", "bash", "-c",
              "for i in 1 2 3; do /usr/bin/python3 -c \"$1\" \"$2\"; done; :", "bash",
              opens_and_closes, world.primary);
    cr_expect_eq(finish(&p), 0);
    const char *said = errors_of(&p);
    cr_expect_str_eq(said,
                     "settle: summary of 4 processes: 3 closes and 0 uses of stores: none had "
                     "to wait\n");
    p = PLAIN("scripts/settle", "--summary", "--after", "--", "sh", "-c", "exit 3");
    cr_expect_eq(finish(&p), 3);
}

Test(summary, is_in_the_record_which_exists_where_nothing_happened)
{
    const char *record = in_dir("../record");
    const char *database = in_dir("app.db");
    struct process p =
        PLAIN("scripts/settle", "--record", record, "--", PYTHON(opens_and_closes, database));
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    p = PLAIN("grep", "-c", "\"event\":\"exit\".*\"stores\":0,\"closes\":0,.*app.db\"", record);
    cr_expect_eq(finish(&p), 0);
    char all[1024] = "";
    char line[512];
    p = PLAIN("/usr/bin/python3", "scripts/settle-report", record);
    while (read_line(&p, line, sizeof line))
        strncat(all, line, sizeof all - strlen(all) - 1);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    for (char *end = all; (end = strchr(end, '\n')) != NULL;)
        *end = ' '; /* it is wrapped */
    cr_expect_not_null(strstr(all, "No store was opened, but the SQLite database "), "%s", all);
    cr_expect_not_null(strstr(all, "settle --stores chroma:sqlite tracks it."), "%s", all);
}

/* What the debug log says of SQLite's functions it says once. */
Test(summary, is_not_buried_in_what_debug_says_of_sqlite)
{
    struct process p =
        SHIMMED(PYTHON(opens_and_closes, world.primary, world.primary, world.primary));
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_count("sqlite3_open_v2 of "), 1);
    cr_expect_leq(log_count(" is in "), 3);
}
