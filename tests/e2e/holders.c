/* settle-wait --list and --json: who holds a store. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(holders, .init = world_begin, .fini = world_end, .timeout = 600);

#define WAIT "build/settle-wait"

/* All that a process writes to its standard output until its end; its exit status. */
static const char *output_of(struct process *p, int *status)
{
    static char text[65536];
    size_t length = fread(text, 1, sizeof text - 1, p->out);
    text[length] = '\0';
    *status = finish(p);
    return text;
}

/* A row of the table: "PID COMMAND FD HOLDS FILE" with any FD. */
static void expect_row(const char *table, pid_t pid, const char *holds, const char *file)
{
    char copy[65536];
    char start[64];
    char end[PATH_MAX + 64];
    snprintf(start, sizeof start, "%-8d holder ", (int)pid);
    snprintf(end, sizeof end, " %-36s %s", holds, file);
    strcpy(copy, table);
    for (char *line = strtok(copy, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if (strncmp(line, start, strlen(start)) == 0 && strstr(line, end) != NULL)
            return;
    cr_expect_fail("no '%s...%s' in:\n%s", start, end, table);
}

Test(holders, of_a_free_store_are_none)
{
    int status;
    struct process p = PLAIN(WAIT, "--list", world.dir);
    cr_expect_str_eq(output_of(&p, &status), "");
    cr_expect_eq(status, 0);
}

Test(holders, are_listed_as_a_table_without_a_wait)
{
    int status;
    const char *shm = in_dir("chroma.sqlite3-shm");
    fclose(fopen(shm, "w"));
    struct process holders[] = {
        hold("posix", world.primary, 2000),   hold("ofd", shm, 2000),
        hold("flock", world.primary, 2000),   hold("open", world.primary, 2000),
        hold("writing", world.primary, 2000), hold("mapped", world.primary, 2000)};
    static const char *const holds[] = {"POSIX write lock", "OFD lock", "flock", "open",
                                        "open for writing", "mapped"};
    uint64_t began = now_ns();
    struct process p = PLAIN(WAIT, "--list", world.dir);
    const char *table = output_of(&p, &status);
    uint64_t ended = now_ns();
    cr_expect_eq(status, 1);
    cr_expect_eq(strncmp(table, "PID      COMMAND ", 17), 0, "%s", table);
    for (int i = 0; i < 6; i++)
        expect_row(table, holders[i].pid, holds[i], i == 1 ? shm : world.primary);
    cr_expect_lt(ended, began + 1500 * (uint64_t)MS);
    for (int i = 0; i < 6; i++)
        released_at(&holders[i]);
}

Test(holders, are_those_that_keep_the_store_from_the_level)
{
    int status;
    struct process holder = hold("open", world.primary, 2000);
    struct process p = PLAIN(WAIT, "--list", "--until", "unwritten", world.dir);
    cr_expect_str_eq(output_of(&p, &status), "");
    cr_expect_eq(status, 0);
    p = PLAIN(WAIT, "--list", "--until", "closed", world.dir);
    expect_row(output_of(&p, &status), holder.pid, "open", world.primary);
    cr_expect_eq(status, 1);
    released_at(&holder);
}

/* A reader and a writer of a database in WAL mode, by SQLite itself. */
Test(holders, are_named_with_the_locks_as_sqlite_calls_them)
{
    int status;
    struct process p = PLAIN("/usr/bin/python3", "-c",
                             "import sqlite3, sys\n"
                             "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                             "c.execute('pragma journal_mode=' + sys.argv[2])\n"
                             "c.execute('create table t(a)')\n"
                             "c.execute('begin immediate')\n"
                             "c.execute('insert into t values (1)')\n"
                             "print('held', flush=True)\n"
                             "sys.stdin.readline()\n",
                             world.primary, "wal");
    await_line(&p, "held");
    struct process list = PLAIN(WAIT, "--list", world.dir);
    const char *table = output_of(&list, &status);
    static const char *const in_wal[] = {"POSIX read lock, SHARED", "POSIX write lock, WAL write",
                                         "POSIX read lock, WAL read",
                                         "POSIX read lock, WAL connection"};
    for (size_t i = 0; i < 4; i++)
        cr_expect_not_null(strstr(table, in_wal[i]), "no '%s' in:\n%s", in_wal[i], table);
    finish(&p);
    unlink(world.primary);

    p = PLAIN("/usr/bin/python3", "-c",
              "import sqlite3, sys\n"
              "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
              "c.execute('create table t(a)')\n"
              "c.execute('begin immediate')\n"
              "print('held', flush=True)\n"
              "sys.stdin.readline()\n"
              "c.execute('commit')\n"
              "c.execute('begin exclusive')\n"
              "print('alone', flush=True)\n"
              "sys.stdin.readline()\n",
              world.primary);
    await_line(&p, "held");
    list = PLAIN(WAIT, "--list", world.dir);
    table = output_of(&list, &status);
    cr_expect_not_null(strstr(table, "POSIX write lock, RESERVED"), "%s", table);
    cr_expect_not_null(strstr(table, "POSIX read lock, SHARED"), "%s", table);
    send_line(&p, "");
    await_line(&p, "alone");
    list = PLAIN(WAIT, "--list", world.dir);
    table = output_of(&list, &status);
    cr_expect_not_null(strstr(table, "POSIX write lock, EXCLUSIVE"), "%s", table);
    finish(&p);
}

/* By the library, when a wait times out. */
Test(holders, in_the_log_have_the_names_that_sqlite_gives_their_locks)
{
    struct process p = PLAIN("/usr/bin/python3", "-c",
                             "import sqlite3, sys\n"
                             "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                             "c.execute('pragma journal_mode=wal')\n"
                             "c.execute('create table t(a)')\n"
                             "c.execute('begin immediate')\n"
                             "print('held', flush=True)\n"
                             "sys.stdin.readline()\n",
                             world.primary);
    await_line(&p, "held");
    struct process closer = SHIMMED_WITH(OPTIONS("--max-wait", "100ms"), "/usr/bin/python3", "-c",
                                         "import os, sys\n"
                                         "os.close(os.open(sys.argv[1], os.O_RDWR))\n",
                                         world.primary);
    cr_expect_eq(finish(&closer), 0);
    static const char *const names[] = {"(python3), SHARED", "(python3), WAL write on -shm",
                                        "(python3), WAL read on -shm"};
    for (size_t i = 0; i < 3; i++)
        cr_expect(log_has(names[i]), "no '%s'", names[i]);
    finish(&p);
}

Test(holders, outside_of_a_container_are_reported_as_such_in_it)
{
    static const char *const ways[] = {
        "build/settle-wait --max-wait 100ms \"$1\"; true",
        "build/settle-wait --list \"$1\" >&2; true",
        "build/settle-wait --list --json \"$1\" >&2; true",
        "scripts/settle --max-wait 100ms -- sh -c 'exec 5<>\"$1\"; exec 5>&-' sh \"$1\""};
    struct process holder = hold("posix", world.primary, 4000);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process p = PLAIN("unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", ways[i],
                                 "sh", world.primary);
        cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
        cr_expect_not_null(strstr(errors_of(&p), "POSIX write lock"), "%s", errors_of(&p));
        cr_expect_not_null(strstr(errors_of(&p), "another pid namespace"), "%s", errors_of(&p));
    }
    released_at(&holder);
}

Test(holders, that_keep_a_wait_from_its_end_are_told_one_a_line)
{
    char expected[3][PATH_MAX + 128];
    struct process first = hold("posix", world.primary, 2000);
    struct process second = hold("flock", world.primary, 2000);
    struct process p = PLAIN(WAIT, "--max-wait", "100ms", world.dir);
    cr_expect_eq(finish(&p), 1);
    const char *errors = errors_of(&p);
    snprintf(expected[0], sizeof expected[0], "settle-wait: %s: still locked after 0.1",
             world.primary);
    snprintf(expected[1], sizeof expected[1], "held by POSIX write lock of pid %d (holder)\n",
             (int)first.pid);
    snprintf(expected[2], sizeof expected[2],
             "settle-wait: %s: also held by flock of pid %d (holder)\n", world.primary,
             (int)second.pid);
    for (int i = 0; i < 3; i++)
        cr_expect_not_null(strstr(errors, expected[i]), "no '%s' in %s", expected[i], errors);
    released_at(&first);
    released_at(&second);
}

/* --- JSON --- */

/* What python3 makes of the output of settle-wait: the value of an expression over it. */
static void expect_json(const char *expression, const char *expected, const char *const *command)
{
    int status;
    const char *all[ARGUMENTS] = {
        "/usr/bin/python3", "-c",
        "import json, subprocess, sys\n"
        "answer = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, stderr=subprocess.PIPE)\n"
        "j = json.loads(answer.stdout)\n"
        "assert answer.stderr == b'', answer.stderr\n"
        "print(answer.returncode, eval(sys.argv[1]))\n",
        expression};
    for (int i = 0; command[i] != NULL; i++)
        all[4 + i] = command[i];
    struct process p = spawn_plain(all);
    const char *found = output_of(&p, &status);
    cr_expect_str_eq(found, expected, "'%s' instead of '%s': %s", found, expected, errors_of(&p));
}
#define EXPECT_JSON(expression, expected, ...)                                                     \
    expect_json(expression, expected, (const char *const[]){WAIT, "--json", __VA_ARGS__, NULL})

Test(holders, as_json_have_all_members)
{
    char expected[PATH_MAX + 256];
    struct process holder = hold("posix", world.primary, 3000);
    snprintf(
        expected, sizeof expected,
        "1 ('held', 'held', True, [(%d, 'holder', 'POSIX write lock', '%s', True, 0, 0, True)])\n",
        (int)holder.pid, world.primary);
    EXPECT_JSON("(j['status'], j['paths'][0]['status'], j['elapsed'] >= 0.1, [(h['pid'], "
                "h['command'], h['kind'], h['file'], h['exclusive'], h['start'], h['end'], "
                "h['writes']) for h in j['paths'][0]['holders']])",
                expected, "--max-wait", "100ms", world.dir);
    released_at(&holder);
    EXPECT_JSON("(j['status'], [(p['path'][-5:], p['status'], p['until'], p['frames'], "
                "p['hot_journal'], p['folded'], p['remote'], p['holders']) for p in j['paths']])",
                "0 ('settled', [('store', 'settled', 'unwritten', 0, False, False, False, [])])\n",
                "--until", "unwritten", world.dir);
    EXPECT_JSON("[(p['status'], p.get('reason')) for p in j['paths']]",
                "3 [('settled', None), ('unexamined', 'No such file or directory')]\n", world.dir,
                "/nonexistent");
}

Test(holders, as_json_are_valid_for_any_name_of_a_file)
{
    const char *path = in_dir("\"\\ \x01\n\xff\xc3\xa4 \xed\xa0\x80'");
    fclose(fopen(path, "w"));
    struct process holder = hold("flock", path, 3000);
    EXPECT_JSON("(j['paths'][0]['path'].encode('utf-8', 'surrogateescape').split(b'/')[-1], "
                "j['paths'][0]['holders'][0]['file'] == j['paths'][0]['file'])",
                "1 (b'\"\\\\ \\x01\\n\\xff\\xc3\\xa4 \\xed\\xa0\\x80\\'', True)\n", "--list", path);
    released_at(&holder);
}

/* --- right --- */

Test(holders, of_fifty_random_sets_are_those_that_the_kernel_has)
{
    char seed[24];
    const char *given = getenv("SETTLE_TEST_SEED");
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)(now_ns() / 1000 % 1000000));
    struct process p = PLAIN("/usr/bin/python3", "tests/e2e/programs/holders.py", world.dir,
                             given != NULL ? given : seed, "50");
    fprintf(stderr, "holders: fifty random sets from SETTLE_TEST_SEED=%s on\n",
            given != NULL ? given : seed);
    for (int i = 0; i < 50; i++)
        await_line(&p, "done");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}
