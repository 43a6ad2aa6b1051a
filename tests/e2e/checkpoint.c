/* Is the main file alone the whole database? The last close says so, and settle-wait --checkpoint
 * mends it. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(checkpoint, .init = world_begin, .fini = world_end, .timeout = 120);

#define WAIT "build/settle-wait"

/* A database in the world with rows that are in the -wal only, left behind by a process that was
 * killed. mode: its journal_mode; hot: within a transaction whose pages are in the main file. */
static void leave_behind(const char *mode, const char *script)
{
    struct process p = PLAIN("/usr/bin/python3", "-c",
                             "import sqlite3, sys\n"
                             "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                             "c.execute('pragma journal_mode=' + sys.argv[2])\n"
                             "c.execute('create table t(a)')\n"
                             "exec(sys.argv[3])\n"
                             "print('left', flush=True)\n"
                             "sys.stdin.readline()\n",
                             world.primary, mode, script);
    await_line(&p, "left");
    kill(p.pid, SIGKILL);
    finish(&p);
}

static const char ten_rows[] = "for i in range(10): c.execute('insert into t values (?)', (i,))";

/* Of a copy of the main file alone. */
static int rows_of_main_file(const char *path)
{
    char line[64] = "";
    struct process p = PLAIN("sh", "-c",
                             "cp \"$1\" \"$1.copy\"; sqlite3 \"$1.copy\" "
                             "'select count(*) from t' 2>/dev/null || echo -1",
                             "sh", path);
    if (fgets(line, sizeof line, p.out) == NULL)
        line[0] = '\0';
    finish(&p);
    return atoi(line);
}

static bool exists(const char *name)
{
    struct stat st;
    return stat(in_dir(name), &st) == 0;
}

static void expect_said(struct process p, int status, const char *message)
{
    cr_expect_eq(finish(&p), status, "%s", errors_of(&p));
    cr_expect_not_null(strstr(errors_of(&p), message), "no '%s' in: %s", message, errors_of(&p));
}

Test(checkpoint, frames_that_are_in_the_wal_only_are_counted_and_left_there)
{
    leave_behind("wal", ten_rows);
    expect_said(PLAIN(WAIT, world.dir), 0,
                "chroma.sqlite3-wal: 12 frames are not in the database yet; --checkpoint folds");
    unlink(in_dir("chroma.sqlite3-shm")); /* then the frames themselves are read */
    expect_said(PLAIN(WAIT, world.primary), 0, "chroma.sqlite3-wal: 12 frames are not");
    cr_expect(exists("chroma.sqlite3-wal"));
    cr_expect_eq(rows_of_main_file(world.primary), -1, "the table itself is in the -wal only");
}

Test(checkpoint, they_are_folded_in)
{
    leave_behind("wal", ten_rows);
    expect_said(PLAIN(WAIT, "--checkpoint", world.dir), 0,
                "chroma.sqlite3-wal: 12 frames are folded into the database now");
    cr_expect_eq(rows_of_main_file(world.primary), 10);
    cr_expect_not(exists("chroma.sqlite3-wal"));
    struct process p = PLAIN(WAIT, "--checkpoint", world.dir);
    cr_expect_eq(finish(&p), 0);
    cr_expect_str_eq(errors_of(&p), "", "there is nothing left to say");
}

Test(checkpoint, frames_that_have_been_copied_already_are_not_counted)
{
    leave_behind("wal",
                 "exec(\"for i in range(10): c.execute('insert into t values (?)', (i,))\")\n"
                 "c.execute('pragma wal_checkpoint')");
    struct process p = PLAIN(WAIT, world.dir);
    cr_expect_eq(finish(&p), 0);
    cr_expect_str_eq(errors_of(&p), "");
    cr_expect(exists("chroma.sqlite3-wal"));
    cr_expect_eq(rows_of_main_file(world.primary), 10);
}

Test(checkpoint, a_transaction_that_a_crash_has_left_half_done_is_rolled_back)
{
    leave_behind("delete", "c.execute('insert into t values (1)')\n"
                           "c.execute('pragma cache_size=5')\n"
                           "c.execute('begin')\n"
                           "c.executemany('insert into t values (?)', [('x' * 3000,)] * 200)");
    cr_assert(exists("chroma.sqlite3-journal"));
    expect_said(PLAIN(WAIT, world.dir), 0,
                "chroma.sqlite3-journal: a transaction that was cut off is not rolled back yet");
    expect_said(PLAIN(WAIT, "--list", world.dir), 0, "--checkpoint rolls it back");
    expect_said(PLAIN(WAIT, "--checkpoint", world.dir), 0,
                "chroma.sqlite3-journal: a transaction that was cut off has been rolled back now");
    cr_expect_not(exists("chroma.sqlite3-journal"));
    cr_expect_eq(rows_of_main_file(world.primary), 1);
}

Test(checkpoint, the_journal_of_a_transaction_in_progress_was_not_cut_off)
{
    char line[2 * PATH_MAX];
    struct process p = PLAIN("/usr/bin/python3", "-c",
                             "import sqlite3, sys\n"
                             "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                             "c.execute('create table t(a)')\n"
                             "c.execute('pragma cache_size=5')\n"
                             "c.execute('begin')\n"
                             "c.executemany('insert into t values (?)', [('x' * 3000,)] * 200)\n"
                             "print('held', flush=True)\n"
                             "sys.stdin.readline()\n",
                             world.primary);
    await_line(&p, "held");
    cr_assert(exists("chroma.sqlite3-journal"));
    struct process wait = PLAIN(WAIT, "--json", "--max-wait", "0", world.dir);
    cr_assert(read_line(&wait, line, sizeof line));
    cr_expect_not_null(strstr(line, "\"hot_journal\":false"), "%s", line);
    cr_expect_eq(finish(&wait), 1);
    finish(&p);
}

Test(checkpoint, a_journal_that_is_kept_between_transactions_is_nothing_to_fold)
{
    leave_behind("persist", ten_rows);
    cr_assert(exists("chroma.sqlite3-journal"));
    struct process p = PLAIN(WAIT, "--checkpoint", world.dir);
    cr_expect_eq(finish(&p), 0);
    cr_expect_str_eq(errors_of(&p), "");
}

Test(checkpoint, waits_until_nobody_has_the_store_open)
{
    leave_behind("wal", ten_rows);
    struct process holder = hold("open", world.primary, 300);
    struct process p = PLAIN(WAIT, "--checkpoint", world.dir);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_geq(now_ns(), released_at(&holder));
    cr_expect_eq(rows_of_main_file(world.primary), 10);
}

Test(checkpoint, folds_nothing_while_somebody_has_the_store_open)
{
    leave_behind("wal", ten_rows);
    struct process holder = hold("open", in_dir("chroma.sqlite3-wal"), 1000);
    expect_said(PLAIN(WAIT, "--checkpoint", "--max-wait", "100ms", world.dir), 1,
                "chroma.sqlite3-wal: 12 frames are not in the database yet");
    cr_expect_eq(rows_of_main_file(world.primary), -1);
    released_at(&holder);
}

Test(checkpoint, that_is_refused_says_why)
{
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: what another user may see needs root");
        return;
    }
    leave_behind("wal", ten_rows);
    chmod(in_dir(".."), 0755);
    chmod(world.dir, 0755);
    struct process p = PLAIN("sh", "-c",
                             "cp build/settle-wait \"$1\" && exec setpriv --reuid=65534 "
                             "--regid=65534 --clear-groups \"$1/settle-wait\" --checkpoint \"$1\"",
                             "sh", world.dir);
    expect_said(p, 3, "who has it open is not told: not the file's owner");
}

Test(checkpoint, of_what_is_no_database_says_so)
{
    FILE *file = fopen(world.primary, "w");
    cr_assert(file != NULL && fputs("no database, but longer than a header of one would be, "
                                    "which has a hundred bytes, and as this line has, too.\n",
                                    file) >= 0);
    fclose(file);
    file = fopen(in_dir("chroma.sqlite3-journal"), "w");
    cr_assert(file != NULL && fputs("no journal", file) >= 0);
    fclose(file);
    expect_said(PLAIN(WAIT, "--checkpoint", world.dir), 3, "is no SQLite database");
    cr_assert_eq(unlink(in_dir("chroma.sqlite3-journal")), 0, "SQLite would have removed it");
    struct process p = PLAIN(WAIT, "--checkpoint", world.dir);
    cr_expect_eq(finish(&p), 0, "a file that has nothing beside it has nothing to fold");
    cr_assert_eq(rename(world.primary, in_dir("notes.txt")), 0);
    expect_said(PLAIN(WAIT, "--checkpoint", in_dir("notes.txt")), 0,
                "notes.txt: is no SQLite database: there was nothing to fold in");
}

/* --- settle --after --checkpoint --- */

/* Leaves ten rows in the -wal of each database, and ends by SIGKILL. */
static const char dying[] =
    "import os, sqlite3, sys\n"
    "kept = []\n"
    "for path in sys.argv[1:]:\n"
    "    c = sqlite3.connect(path, isolation_level=None)\n"
    "    c.execute('pragma journal_mode=wal')\n"
    "    c.execute('create table t(a)')\n"
    "    c.executemany('insert into t values (?)', [(i,) for i in range(10)])\n"
    "    kept.append(c)\n"
    "os.kill(os.getpid(), 9)\n";

#define AFTER(...) PLAIN("scripts/settle", "--stores", "chroma:sqlite", "--after", __VA_ARGS__)

Test(checkpoint, after_a_command_that_was_killed_makes_each_main_file_whole)
{
    char other[PATH_MAX];
    snprintf(other, sizeof other, "%s", in_dir("other.db"));
    struct process p = AFTER("--checkpoint", "/usr/bin/python3", "-c", dying, world.primary, other);
    cr_expect_eq(finish(&p), 128 + SIGKILL, "the end is that of the command");
    cr_expect_eq(rows_of_main_file(world.primary), 10, "%s", errors_of(&p));
    cr_expect_eq(rows_of_main_file(other), 10, "%s", errors_of(&p));
    cr_expect_not(exists("chroma.sqlite3-wal"));
    cr_expect_not(exists("other.db-wal"));
}

Test(checkpoint, after_a_command_is_made_on_request_only)
{
    struct process p = AFTER("/usr/bin/python3", "-c", dying, world.primary);
    expect_said(p, 128 + SIGKILL, "chroma.sqlite3-wal: 12 frames are not in the database yet");
    cr_expect_eq(rows_of_main_file(world.primary), -1);
}

Test(checkpoint, after_a_command_waits_until_nobody_has_the_store_open)
{
    struct process holder = hold("open", world.primary, 2000);
    struct process p =
        AFTER("--checkpoint", "--max-wait", "20", "/usr/bin/python3", "-c", dying, world.primary);
    cr_expect_eq(finish(&p), 128 + SIGKILL);
    cr_expect_geq(now_ns(), released_at(&holder));
    cr_expect_eq(rows_of_main_file(world.primary), 10, "%s", errors_of(&p));
}

Test(checkpoint, after_a_command_folds_nothing_of_a_store_that_stays_open_and_names_who_has_it)
{
    struct process holder = hold("open", world.primary, 20000);
    struct process p = AFTER("--checkpoint", "--max-wait", "200ms", "/usr/bin/python3", "-c", dying,
                             world.primary);
    expect_said(p, 128 + SIGKILL, "(holder)");
    cr_expect_not_null(strstr(errors_of(&p), "12 frames are not in the database yet"));
    cr_expect_eq(rows_of_main_file(world.primary), -1);
    kill(holder.pid, SIGKILL);
    finish(&holder);
}

Test(checkpoint, after_a_command_makes_a_store_by_name_whole)
{
    leave_behind("wal", ten_rows);
    struct process p = PLAIN("scripts/settle", "--after", world.dir, "--checkpoint", "--", "true");
    expect_said(p, 0, "12 frames are folded into the database now");
    cr_expect_eq(rows_of_main_file(world.primary), 10);
}

Test(checkpoint, is_the_opposite_of_list)
{
    expect_said(PLAIN(WAIT, "--checkpoint", "--list", world.dir), 2, "expected one of them");
}

/* In a mount namespace without it. */
Test(checkpoint, without_libsqlite3_says_so_when_the_wait_is_over)
{
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: a mount namespace needs root");
        return;
    }
    static const char hidden[] =
        "for library in $(ldconfig -p | sed -n 's/.*libsqlite3.so.0 .*=> //p'); do "
        "mount --bind /dev/null \"$library\"; done; exec \"$@\"";
    leave_behind("wal", ten_rows);
    struct process holder = hold("open", world.primary, 300);
    expect_said(
        PLAIN("unshare", "--mount", "sh", "-c", hidden, "sh", WAIT, "--checkpoint", world.dir), 3,
        "--checkpoint needs libsqlite3: ");
    cr_expect_geq(now_ns(), released_at(&holder));
    cr_expect_eq(rows_of_main_file(world.primary), -1);
}

/* Without the option it needs no libsqlite3: nothing of it is linked. */
Test(checkpoint, is_all_that_libsqlite3_is_loaded_for)
{
    struct process p = PLAIN("sh", "-c", "readelf -d build/settle-wait | grep -q sqlite");
    cr_expect_eq(finish(&p), 1);
    p = PLAIN("sh", "-c",
              "strace -f -e trace=openat build/settle-wait \"$1\" 2>&1 | grep -q sqlite3.so", "sh",
              world.dir);
    cr_expect_eq(finish(&p), 1);
}

/* --- what the last close leaves behind --- */

#define READER_LAST "/usr/bin/python3", "tests/e2e/programs/database.py", "reader-last"

static void close_with_reader_last(struct process *p)
{
    await_line(p, "open");
    send_line(p, "");
    await_line(p, "closed");
}

Test(checkpoint, a_last_close_that_leaves_frames_in_the_wal_says_so_once)
{
    struct process p = SHIMMED(READER_LAST, world.primary);
    close_with_reader_last(&p);
    cr_expect_eq(log_count("chroma.sqlite3: closed by all, but its -wal has 3 frames that the "),
                 1);
    close_with_reader_last(&p);
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_count("closed by all, but its -wal has"), 1);
}

Test(checkpoint, whether_or_not_there_is_a_shm_to_tell)
{
    leave_behind("wal", ten_rows);
    unlink(in_dir("chroma.sqlite3-shm"));
    struct process p = SHIMMED("build/programs/stepper");
    cr_assert_geq(say(&p, "open A -", world.primary).result, 0);
    cr_assert_eq(step(&p, "close A").result, 0);
    cr_expect_eq(log_count("its -wal has 12 frames that the database has not"), 1);
    cr_expect_eq(finish(&p), 0);
}

Test(checkpoint, a_close_that_leaves_an_empty_wal_or_none_says_nothing)
{
    struct process p =
        SHIMMED("/usr/bin/python3", "tests/e2e/programs/database.py", "keep", world.primary);
    await_line(&p, "held");
    send_line(&p, "");
    await_line(&p, "gone");
    cr_expect_eq(finish(&p), 0);
    cr_expect_geq(log_waits(), 1);
    cr_expect_eq(log_count("closed by all"), 0);
}

/* It will fold them in, or go on. */
Test(checkpoint, nothing_is_said_while_somebody_else_has_the_database_open)
{
    struct process other =
        PLAIN("/usr/bin/python3", "tests/e2e/programs/database.py", "keep", world.primary);
    await_line(&other, "held");
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "0.2"), READER_LAST, world.primary);
    close_with_reader_last(&p);
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(finish(&other), 0);
    cr_expect_eq(log_count("closed by all"), 0);
}

Test(checkpoint, the_record_has_their_number)
{
    char record[PATH_MAX + 16];
    snprintf(record, sizeof record, "%s.record", world.log);
    struct process p = SHIMMED_WITH(OPTIONS("--record", record), READER_LAST, world.primary);
    close_with_reader_last(&p);
    cr_expect_eq(finish(&p), 0);
    struct process found = PLAIN("grep", "-c", "\"frames\":3", record);
    cr_expect_eq(finish(&found), 0);
    unlink(record);
}
