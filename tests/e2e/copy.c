/* settle-wait --copy: a copy is whole, or there is none; writers are kept out meanwhile, and the
 * store stays as it was. */
#include "copied.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(copy, .init = world_begin, .fini = world_end, .timeout = 120);

/* The same, left behind by a process that was killed after it has run a script. */
static void leave_behind(const char *mode, const char *script)
{
    struct process p = PLAIN(PYTHON, "-c",
                             "import sqlite3, sys\n"
                             "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                             "c.execute('pragma journal_mode=' + sys.argv[2])\n"
                             "c.execute('create table t(a)')\n"
                             "for i in range(10): c.execute('insert into t values (?)', (i,))\n"
                             "exec(sys.argv[3])\n"
                             "print('left', flush=True)\n"
                             "sys.stdin.readline()\n",
                             world.primary, mode, script);
    await_line(&p, "left");
    kill(p.pid, SIGKILL);
    finish(&p);
}

/* Names, sizes, modes, times and content of all that is in the world; but the content of -shm, in
 * which each connection notes its own reading. */
static const char *fingerprint(void)
{
    return ask("import hashlib, os, sys\n"
               "told = []\n"
               "for top, directories, files in os.walk(sys.argv[1]):\n"
               "    for name in sorted(files):\n"
               "        path = os.path.join(top, name)\n"
               "        s = os.stat(path)\n"
               "        told.append((path, s.st_size, s.st_mode, s.st_ino))\n"
               "        if not name.endswith('-shm'):\n"
               "            told.append((s.st_mtime_ns, open(path, 'rb').read()))\n"
               "print(hashlib.sha256(repr(told).encode()).hexdigest())\n",
               world.dir);
}

/* --- what is copied --- */

Test(copy, is_whole_and_the_store_stays_as_it_was)
{
    static const char *const modes[] = {"delete", "wal", "persist", "truncate"};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        char before[256];
        unlink(world.primary);
        make_database(modes[i]);
        snprintf(before, sizeof before, "%s", fingerprint());
        expect_copied(copy());
        cr_expect_str_eq(fingerprint(), before, "%s", modes[i]);
        cr_expect_eq(rows_of(in_dir("../copy/chroma.sqlite3")), 10, "%s", modes[i]);
        run_python("import shutil, sys; shutil.rmtree(sys.argv[2])", to());
    }
}

Test(copy, has_in_its_main_file_what_was_in_the_wal_only)
{
    char before[256];
    leave_behind("wal", "");
    snprintf(before, sizeof before, "%s", fingerprint());
    expect_copied(copy());
    cr_expect_str_eq(fingerprint(), before, "nothing was folded in or removed");
    cr_expect_not(exists(in_dir("../copy/chroma.sqlite3-wal")));
    cr_expect_not(exists(in_dir("../copy/chroma.sqlite3-shm")));
    cr_expect_eq(rows_of(in_dir("../copy/chroma.sqlite3")), 10);
}

Test(copy, of_a_database_is_a_file)
{
    leave_behind("wal", "");
    expect_copied(PLAIN(WAIT, "--copy", to(), world.primary));
    cr_expect_eq(rows_of(to()), 10);
}

Test(copy, has_modes_times_and_other_files)
{
    make_database("delete");
    run_python("import os, sys\n"
               "top = os.path.dirname(sys.argv[1])\n"
               "os.mkdir(top + '/collection')\n"
               "os.symlink('collection', top + '/link')\n"
               "os.symlink('..', top + '/collection/up')\n"
               "for name in ('note', 'collection/rows.bin'):\n"
               "    with open(top + '/' + name, 'w') as file: file.write(name)\n"
               "    os.utime(top + '/' + name, (1, 2))\n"
               "os.chmod(top + '/note', 0o400)\n"
               "os.chmod(top + '/collection', 0o500)\n"
               "os.chmod(sys.argv[1], 0o640)\n"
               "os.mkfifo(top + '/pipe')\n",
               "");
    expect_copied(copy());
    run_python("import os, sys\n"
               "def told(top):\n"
               "    for name in ('note', 'collection/rows.bin', 'link/rows.bin', 'chroma.sqlite3', "
               "'collection', '.'):\n"
               "        s = os.stat(top + '/' + name)\n"
               "        yield name, s.st_mode, s.st_mtime_ns, None if name in '.collection' else "
               "open(top + '/' + name, 'rb').read()\n"
               "a, b = list(told(os.path.dirname(sys.argv[1]))), list(told(sys.argv[2]))\n"
               "assert a == b, (a, b)\n"
               "assert not os.path.lexists(sys.argv[2] + '/pipe')\n",
               to());
}

Test(copy, of_several_is_a_directory_with_all_of_them)
{
    make_database("delete");
    expect_copied(PLAIN(WAIT, "--copy", to(), world.dir, world.primary));
    cr_expect_eq(rows_of(in_dir("../copy/chroma.sqlite3")), 10);
    char inner[PATH_MAX];
    snprintf(inner, sizeof inner, "%s/%s/chroma.sqlite3", to(), strrchr(world.dir, '/') + 1);
    cr_expect_eq(rows_of(inner), 10);
}

Test(copy, says_as_json_what_became_of_it)
{
    char line[8192];
    make_database("delete");
    struct process p = PLAIN(WAIT, "--json", "--copy", to(), world.dir);
    cr_assert(read_line(&p, line, sizeof line));
    cr_expect_eq(finish(&p), 0);
    cr_expect_str_eq(
        ask("import json, sys\n"
            "p = json.loads(sys.argv[1])['paths'][0]\n"
            "print(p['status'], p['copy'].split('/')[-1], p['bytes'] > 0, 0 < p['hold'] < 2,\n"
            "      p['by'] in ('reflink', 'copy_file_range', 'write'), 'reason' in p)\n",
            line),
        "settled copy True True True False");
}

/* XFS shares the blocks; to another file system they are written. */
Test(copy, shares_blocks_where_the_file_system_can_and_then_takes_no_time)
{
    char line[1024];
    char here[PATH_MAX];
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: a file system of its own needs root");
        return;
    }
    struct process p = PLAIN(
        "unshare", "--mount", "sh", "-ec",
        "cd \"$1\"; PATH=$PATH:/usr/sbin; mkdir m; truncate -s 700M image; mkfs.xfs -q image; "
        "mount -o loop image m\n"
        "sqlite3 m/db 'create table t(a); insert into t values (zeroblob(150000000))'; sync\n"
        "for to in m/shared written; do\n"
        "    \"$2/" WAIT "\" --json --max-hold 60 --copy $to m/db >$to.json; done\n"
        "/usr/bin/python3 -c 'import json\n"
        "a, b = (json.load(open(name))[\"paths\"][0] for name in (\"m/shared.json\", "
        "\"written.json\"))\n"
        "print(a[\"by\"], b[\"by\"] != \"reflink\", 5 * a[\"hold\"] < b[\"hold\"], a[\"hold\"], "
        "b[\"hold\"])'",
        "sh", in_dir(".."), getcwd(here, sizeof here));
    cr_assert(read_line(&p, line, sizeof line), "%s", errors_of(&p));
    cr_expect_eq(strncmp(line, "reflink True True ", 18), 0, "%s", line);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* --- who writes and who reads --- */

/* The index makes it last. */
static void expect_refused_to_the_end(const char *mode)
{
    make_database(mode);
    begin_index();
    struct process writer = PLAIN(PYTHON, "-c", rival, world.primary);
    cr_expect_not(is_refused(&writer));
    struct process p = PLAIN(WAIT, "--copy", to(), "--max-hold", "20", world.dir);
    await_refusal(&writer);
    for (int i = 0; i < 60; i++) {
        cr_expect(is_refused(&writer), "the %dth time", i);
        cr_expect_not(exists(to()), "before it is whole");
        sleep_ms(5);
    }
    end_index();
    expect_copied(p);
    cr_expect_not(is_refused(&writer));
    cr_expect_eq(rows_of(in_dir("../copy/chroma.sqlite3")), 10);
    finish(&writer);
}

Test(copy, keeps_a_second_writer_out_from_begin_to_end_and_no_reader)
{
    expect_refused_to_the_end("delete");
}

Test(copy, keeps_a_second_writer_out_in_wal_mode_too)
{
    expect_refused_to_the_end("wal");
}

/* Transactions of two rows each, one after the other, until the input ends. */
static const char ever_writing[] =
    "import select, sqlite3, sys\n"
    "c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)\n"
    "print('writing', flush=True)\n"
    "while not select.select([sys.stdin], [], [], 0)[0]:\n"
    "    c.execute('begin immediate')\n"
    "    c.execute('insert into t values (1)')\n"
    "    c.execute('insert into t values (2)')\n"
    "    c.execute('commit')\n";

static void expect_copies_beside_a_writer_that_never_pauses(const char *mode)
{
    make_database(mode);
    struct process writer = PLAIN(PYTHON, "-c", ever_writing, world.primary);
    await_line(&writer, "writing");
    for (int i = 0; i < 5; i++) {
        struct process p = PLAIN(WAIT, "--copy", to(), "--max-wait", "20", world.primary);
        expect_copied(p);
        int rows = rows_of(to());
        cr_expect(rows >= 10 && rows % 2 == 0, "%s: %d rows", mode, rows);
        unlink(to());
    }
    send_line(&writer, "end");
    cr_expect_eq(finish(&writer), 0, "no error there: %s", errors_of(&writer));
}

Test(copy, is_made_beside_a_writer_that_never_pauses)
{
    expect_copies_beside_a_writer_that_never_pauses("delete");
}

Test(copy, is_made_beside_one_in_wal_mode)
{
    expect_copies_beside_a_writer_that_never_pauses("wal");
}

/* An idle connection in WAL mode has a lock for as long as it lives: to it a plain wait is in vain.
 */
Test(copy, does_not_wait_for_who_does_not_write)
{
    make_database("wal");
    struct process idle = PLAIN(PYTHON, "-c", rival, world.primary);
    cr_expect_not(is_refused(&idle));
    struct process p = PLAIN(WAIT, "--max-wait", "0", world.dir);
    cr_expect_eq(finish(&p), 1);
    expect_copied(PLAIN(WAIT, "--max-wait", "0", "--copy", to(), world.dir));
    unlink(in_dir("../copy/chroma.sqlite3"));
    rmdir(to());
    expect_said(PLAIN(WAIT, "--max-wait", "0", "--until", "closed", "--copy", to(), world.dir), 1,
                "(python3)");
    cr_expect_eq(beside(), 0);
    finish(&idle);
}

Test(copy, waits_for_who_writes_and_names_him_when_the_time_is_up)
{
    make_database("delete");
    struct process writer = PLAIN(PYTHON, "-c",
                                  "import sqlite3, sys\n"
                                  "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                                  "c.execute('begin immediate')\n"
                                  "c.execute('insert into t values (1)')\n"
                                  "print('holds', flush=True)\n"
                                  "sys.stdin.readline()\n"
                                  "c.execute('commit')\n",
                                  world.primary);
    await_line(&writer, "holds");
    expect_said(PLAIN(WAIT, "--max-wait", "100ms", "--copy", to(), world.dir), 1,
                "(python3), RESERVED");
    cr_expect_eq(beside(), 0);
    struct process p = PLAIN(WAIT, "--max-wait", "20", "--copy", to(), world.dir);
    sleep_ms(200);
    cr_expect_not(exists(to()));
    send_line(&writer, "commit");
    cr_expect_eq(finish(&writer), 0, "%s", errors_of(&writer));
    expect_copied(p);
    cr_expect_eq(rows_of(in_dir("../copy/chroma.sqlite3")), 11);
}

/* --- what ends it --- */

Test(copy, gives_up_when_writers_would_be_kept_out_too_long)
{
    make_database("delete");
    begin_index();
    struct process changing = PLAIN(PYTHON, "-c",
                                    "import select, sys\n"
                                    "print('changing', flush=True)\n"
                                    "while not select.select([sys.stdin], [], [], 0.002)[0]:\n"
                                    "    with open(sys.argv[1], 'r+b') as file: file.write(b'x')\n",
                                    in_dir("collection/length.bin"));
    await_line(&changing, "changing");
    expect_said(PLAIN(WAIT, "--copy", to(), "--max-hold", "300ms", world.dir), 1,
                "kept out no longer (--max-hold)");
    cr_expect_eq(beside(), 0);
    struct process writer = PLAIN(PYTHON, "-c", rival, world.primary);
    cr_expect_not(is_refused(&writer));
    finish(&writer);
    finish(&changing);
}

Test(copy, of_an_index_that_is_not_whole_is_refused_with_the_reason)
{
    make_database("delete");
    begin_index();
    expect_said(PLAIN(WAIT, "--copy", to(), "--max-hold", "300ms", world.dir), 3,
                "collection/data_level0.bin has fewer elements than header.bin tells");
    cr_expect_eq(beside(), 0);
}

Test(copy, leaves_a_journal_that_a_crash_has_left_to_checkpoint)
{
    char before[256];
    leave_behind("delete", "c.execute('pragma cache_size=5')\n"
                           "c.execute('begin')\n"
                           "c.executemany('insert into t values (?)', [('x' * 3000,)] * 200)");
    cr_assert(exists(in_dir("chroma.sqlite3-journal")));
    snprintf(before, sizeof before, "%s", fingerprint());
    expect_said(copy(), 1, "a transaction that was cut off is not rolled back yet; --checkpoint");
    cr_expect_str_eq(fingerprint(), before);
    cr_expect_eq(beside(), 0);
    struct process p = PLAIN(WAIT, "--checkpoint", "--copy", to(), world.dir);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(rows_of(in_dir("../copy/chroma.sqlite3")), 10);
}

Test(copy, of_a_corrupt_database_is_none)
{
    make_database("delete");
    run_python("import sys\n"
               "with open(sys.argv[1], 'r+b') as file:\n"
               "    file.seek(4096)\n"
               "    file.write(b'x' * 4096)\n",
               "");
    expect_said(copy(), 3, "corrupt");
    cr_expect_eq(beside(), 0);
}

Test(copy, of_what_no_profile_knows_is_refused)
{
    FILE *file = fopen(in_dir("note"), "w");
    fputs("no database", file);
    fclose(file);
    expect_said(PLAIN(WAIT, "--copy", to(), in_dir("note")), 3,
                "the writers of what is no known store out; copy it when");
    fclose(fopen(in_dir("lock.mdb"), "w"));
    fclose(fopen(in_dir("data.mdb"), "w"));
    unlink(world.primary);
    cr_assert_eq(mkfifo(world.primary, 0644), 0);
    expect_said(copy(), 3, "not a regular file");
    unlink(world.primary);
    expect_said(PLAIN(WAIT, "--copy", to(), world.dir), 3,
                "the writers of a store of the kind lmdb out; copy it when");
    cr_expect_eq(beside(), 0);
}

Test(copy, to_what_is_there_is_refused)
{
    make_database("delete");
    cr_assert_eq(mkdir(to(), 0755), 0);
    expect_said(copy(), 3, "it is there already; expected a name that is new");
    cr_expect_eq(rmdir(to()), 0, "and is as it was");
    cr_assert_eq(symlink("nowhere", to()), 0);
    expect_said(copy(), 3, "it is there already");
}

Test(copy, to_a_name_that_somebody_takes_meanwhile_is_none)
{
    make_database("delete");
    begin_index();
    struct process writer = PLAIN(PYTHON, "-c", rival, world.primary);
    struct process p = PLAIN(WAIT, "--copy", to(), "--max-hold", "20", world.dir);
    await_refusal(&writer);
    cr_assert_eq(mkdir(to(), 0755), 0);
    end_index();
    expect_said(p, 3, "File exists");
    cr_expect_eq(rmdir(to()), 0, "it is as it was");
    cr_expect_eq(beside(), 0);
    finish(&writer);
}

Test(copy, to_no_place_is_refused)
{
    make_database("delete");
    expect_said(PLAIN(WAIT, "--copy", in_dir("../none/copy"), world.dir), 3,
                "there is no directory for it; expected one that exists");
    expect_said(PLAIN(WAIT, "--copy", in_dir("copy"), world.dir), 3,
                "cannot be copied into itself");
    expect_said(PLAIN(WAIT, "--copy", "..", world.dir), 3, "expected the name");
    char slash[PATH_MAX + 1];
    snprintf(slash, sizeof slash, "%s/", to());
    expect_said(PLAIN(WAIT, "--copy", slash, world.primary), 3,
                "it becomes a file; expected a name without a slash at its end");
    expect_said(PLAIN(WAIT, "--copy", "", world.dir), 2, "--copy='': expected the name");
    expect_said(PLAIN(WAIT, "--copy", to(), "--list", world.dir), 2, "expected one of them");
    expect_said(PLAIN(WAIT, "--max-hold", "1", world.dir), 2, "expected both");
    expect_said(PLAIN(WAIT, "--max-hold", "soon", "--copy", to(), world.dir), 2,
                "--max-hold='soon': expected");
    expect_said(PLAIN(WAIT, "--copy", to(), world.dir, world.dir), 3, "two of its name");
    cr_expect_eq(beside(), 0);
}

/* By a limit on the size of files, and by a file system that is full. */
Test(copy, without_room_is_none)
{
    make_database("delete");
    run_python("import sqlite3, sys\n"
               "c = sqlite3.connect(sys.argv[1])\n"
               "c.execute('insert into t values (zeroblob(500000))')\n"
               "c.commit()\n",
               "");
    expect_said(PLAIN("sh", "-c", "ulimit -f 100; exec " WAIT " --copy \"$1\" \"$2\"", "sh", to(),
                      world.dir),
                3, "File too large");
    cr_expect_eq(beside(), 0);
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: a small file system needs root");
        return;
    }
    expect_said(PLAIN("unshare", "--mount", "sh", "-c",
                      "mkdir \"$1\" && mount -t tmpfs -o size=100k tmpfs \"$1\" || exit 99\n" WAIT
                      " --copy \"$1/x\" \"$2\"; status=$?\n"
                      "ls -A \"$1\" >&2\n"
                      "exit $status",
                      "sh", in_dir("../full"), world.dir),
                3, "chroma.sqlite3: No space left on device\n");
    cr_expect_eq(beside(), 0);
}

Test(copy, without_permission_says_so)
{
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: to become somebody else needs root");
        return;
    }
    make_database("delete");
    chmod(in_dir(".."), 0755);
    chmod(world.dir, 0755);
    static const char as_another[] = "cp build/settle-wait \"$1\" && exec setpriv --reuid=65534 "
                                     "--regid=65534 --clear-groups \"$1/settle-wait\" "
                                     "--copy \"$2\" \"$1\"";
    expect_said(PLAIN("sh", "-c", as_another, "sh", world.dir, to()), 3, "Permission denied");
    chmod(in_dir(".."), 0777);
    expect_said(PLAIN("sh", "-c", as_another, "sh", world.dir, to()), 3,
                "may not be written here, and so its writers cannot be kept out");
    cr_expect_eq(beside(), 0);
}

/* Within the time for which writers are kept out. */
static void end_by(int number)
{
    make_database("delete");
    begin_index();
    struct process writer = PLAIN(PYTHON, "-c", rival, world.primary);
    struct process p = PLAIN(WAIT, "--copy", to(), "--max-hold", "20", world.dir);
    await_refusal(&writer);
    cr_expect_eq(beside(), 1, "it has begun");
    kill(p.pid, number);
    cr_expect_eq(finish(&p), 128 + number);
    cr_expect_not(is_refused(&writer), "writers go on");
    for (int i = 0; i < 400 && beside() > 0; i++)
        sleep_ms(5); /* who copied hears of a SIGKILL later */
    cr_expect_eq(beside(), 0);
    finish(&writer);
}

Test(copy, that_a_signal_ends_leaves_nothing_behind)
{
    end_by(SIGTERM);
}

Test(copy, that_the_keyboard_ends_leaves_nothing_behind)
{
    end_by(SIGINT);
}

Test(copy, that_is_killed_leaves_nothing_behind)
{
    end_by(SIGKILL);
}

Test(copy, removes_what_one_has_left_behind_that_was_killed_with_all_its_processes)
{
    make_database("delete");
    cr_assert_eq(mkdir(in_dir("../.copy.settle-copy"), 0700), 0);
    cr_assert_eq(mkdir(in_dir("../.copy.settle-copy/copy"), 0500), 0);
    expect_copied(copy());
}

Test(copy, leaves_another_of_the_same_name_alone)
{
    make_database("delete");
    begin_index();
    struct process writer = PLAIN(PYTHON, "-c", rival, world.primary);
    struct process p = PLAIN(WAIT, "--copy", to(), "--max-hold", "20", world.dir);
    await_refusal(&writer);
    expect_said(copy(), 3, "another copy of that name is being made");
    end_index();
    expect_copied(p);
    finish(&writer);
}
