/* settle-wait --copy of stores whose engine locks one file for as long as it has them open: that
 * lock keeps it out meanwhile. Stand-ins; by the real engines: make stores. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(copy_locked, .init = world_begin, .fini = world_end, .timeout = 120);

#define WAIT   "build/settle-wait"
#define PYTHON "/usr/bin/python3"

static void put(const char *name, const char *content, mode_t mode)
{
    FILE *file = fopen(in_dir(name), "w");
    cr_assert_not_null(file);
    fputs(content, file);
    fclose(file);
    cr_assert_eq(chmod(in_dir(name), mode), 0);
}

static void make_duckdb(void)
{
    put("a.duckdb", "checksumDUCK", 0640);
    put("a.duckdb.wal", "what is not in it yet", 0600);
}

/* As a crash leaves it while others write beside a checkpoint. */
static void make_duckdb_cut_off(void)
{
    make_duckdb();
    put("a.duckdb.wal.checkpoint", "what came later", 0600);
}

static void make_leveldb(void)
{
    put("LOCK", "", 0644);
    put("CURRENT", "MANIFEST-000001\n", 0644);
    put("MANIFEST-000001", "tables", 0644);
    unlink(world.primary);
}

static const char *to(void)
{
    return in_dir("../copy");
}

static void expect_said(struct process p, int status, const char *message)
{
    cr_expect_eq(finish(&p), status, "%s", errors_of(&p));
    cr_expect_not_null(strstr(errors_of(&p), message), "no '%s' in: %s", message, errors_of(&p));
}

static void expect_copied(struct process p)
{
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_str_eq(errors_of(&p), "");
}

static void expect_content(const char *name, const char *content, mode_t mode)
{
    char found[64] = "";
    struct stat st;
    FILE *file = fopen(in_dir(name), "r");
    cr_assert(file != NULL && fstat(fileno(file), &st) == 0, "%s is not there", name);
    (void)!fread(found, 1, sizeof found - 1, file);
    fclose(file);
    cr_expect_str_eq(found, content, "%s", name);
    cr_expect_eq(st.st_mode & 07777, mode, "%s", name);
}

Test(copy_locked, of_a_file_has_what_lies_beside_it_under_the_name_of_the_copy)
{
    make_duckdb_cut_off();
    expect_copied(PLAIN(WAIT, "--copy", to(), in_dir("a.duckdb")));
    expect_content("../copy", "checksumDUCK", 0640);
    expect_content("../copy.wal", "what is not in it yet", 0600);
    expect_content("../copy.wal.checkpoint", "what came later", 0600);
}

Test(copy_locked, is_there_with_all_of_it_or_not_at_all)
{
    make_duckdb();
    put("../copy.wal", "of another", 0600);
    for (int i = 0; i < 2; i++) { /* also where the store has nothing beside it */
        expect_said(PLAIN(WAIT, "--copy", to(), in_dir("a.duckdb")), 3,
                    "copy.wal is there already, and would be taken for the copy's");
        cr_expect_neq(access(to(), F_OK), 0);
        expect_content("../copy.wal", "of another", 0600);
        unlink(in_dir("a.duckdb.wal"));
    }
}

Test(copy_locked, of_a_directory_is_all_of_it_by_whichever_name)
{
    make_leveldb();
    static const char *const names[] = {".", "LOCK", "CURRENT"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        expect_copied(PLAIN(WAIT, "--copy", to(), in_dir(names[i])));
        expect_content("../copy/LOCK", "", 0644);
        expect_content("../copy/CURRENT", "MANIFEST-000001\n", 0644);
        expect_content("../copy/MANIFEST-000001", "tables", 0644);
        struct process p = PLAIN("rm", "-r", to());
        cr_assert_eq(finish(&p), 0);
    }
}

/* One that its engine has open is waited for, and named where that is in vain. */
static void expect_wait_for(const char *kind, const char *file)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", in_dir(file));
    struct process holder = hold(kind, path, 20000);
    expect_said(PLAIN(WAIT, "--max-wait", "100ms", "--copy", to(), path), 1, "(holder)");
    cr_expect_neq(access(to(), F_OK), 0);
    kill(holder.pid, SIGKILL);
    finish(&holder);
    holder = hold(kind, path, 500);
    expect_copied(PLAIN(WAIT, "--max-wait", "20", "--copy", to(), path));
    cr_expect_geq(now_ns(), released_at(&holder));
    cr_expect_eq(access(to(), F_OK), 0);
}

Test(copy_locked, waits_for_an_engine_with_a_record_lock)
{
    make_duckdb();
    expect_wait_for("posix", "a.duckdb");
}

Test(copy_locked, waits_for_an_engine_with_an_flock)
{
    put("a.h5", "\211HDF\r\n\032\n", 0644);
    expect_wait_for("flock", "a.h5");
}

/* Tries for a lock as often as it is told: what an engine takes to write, or to read. */
static const char engine[] = "import fcntl, sys\n"
                             "lock = fcntl.flock if sys.argv[2] == 'flock' else fcntl.lockf\n"
                             "for line in sys.stdin:\n"
                             "    file = open(sys.argv[1], 'r+b')\n"
                             "    how = fcntl.LOCK_EX if line == 'write\\n' else fcntl.LOCK_SH\n"
                             "    try:\n"
                             "        lock(file, how | fcntl.LOCK_NB)\n"
                             "        print('got', flush=True)\n"
                             "    except OSError:\n"
                             "        print('refused', flush=True)\n"
                             "    file.close()\n";

static bool is_refused(struct process *p, const char *what)
{
    char line[64];
    send_line(p, what);
    cr_assert(read_line(p, line, sizeof line));
    return strncmp(line, "refused", 7) == 0;
}

/* It stands still at a file until ../pause is removed. */
static struct process copy_that_pauses(const char *file, const char *store)
{
    char at[64];
    char pausing[PATH_MAX];
    snprintf(at, sizeof at, "COPY_PAUSES_AT=%s", file);
    snprintf(pausing, sizeof pausing, "COPY_PAUSES_WHILE=%s", in_dir("../pause"));
    put("../pause", "", 0644);
    return PLAIN("env", "LD_PRELOAD=build/libraries/paused-copy.so",
                 "ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0", at, pausing, WAIT,
                 "--copy", to(), "--max-hold", "60", in_dir(store));
}

static void await_refusal(struct process *rival)
{
    for (int i = 0; !is_refused(rival, "write"); i++) {
        cr_assert_lt(i, 2000, "its engine is not kept out");
        usleep(5000);
    }
}

static void expect_kept_out(const char *kind, const char *primary, const char *store)
{
    struct process rival = PLAIN(PYTHON, "-c", engine, in_dir(primary), kind);
    cr_expect_not(is_refused(&rival, "write"));
    struct process p = copy_that_pauses(primary, store);
    await_refusal(&rival);
    for (int i = 0; i < 40; i++) {
        cr_expect(is_refused(&rival, "write"), "the %dth time", i);
        cr_expect_not(is_refused(&rival, "read"), "who reads goes on");
        cr_expect_neq(access(to(), F_OK), 0, "before it is whole");
        usleep(5000);
    }
    unlink(in_dir("../pause"));
    expect_copied(p);
    cr_expect_eq(access(to(), F_OK), 0);
    cr_expect_not(is_refused(&rival, "write"));
    finish(&rival);
}

Test(copy_locked, keeps_an_engine_with_a_record_lock_out_to_the_end)
{
    make_leveldb();
    expect_kept_out("posix", "LOCK", ".");
}

Test(copy_locked, keeps_an_engine_out_of_a_file_of_its_own)
{
    make_duckdb();
    expect_kept_out("posix", "a.duckdb", "a.duckdb");
}

Test(copy_locked, keeps_an_engine_with_an_flock_out_to_the_end)
{
    put(".lock", "", 0644);
    put("meta.json", "{}", 0644);
    unlink(world.primary);
    expect_kept_out("flock", ".lock", ".");
}

/* Of a copy of two files the first has its name when the signal comes. */
Test(copy_locked, that_a_signal_ends_while_it_gets_its_name_is_there_with_all_of_it)
{
    make_duckdb();
    struct process p = copy_that_pauses("copy", "a.duckdb");
    for (int i = 0; access(in_dir("../copy.wal"), F_OK) != 0; i++) {
        cr_assert_lt(i, 2000, "it gets no name");
        usleep(5000);
    }
    kill(p.pid, SIGTERM);
    usleep(200000);
    unlink(in_dir("../pause"));
    cr_expect_eq(finish(&p), 128 + SIGTERM, "%s", errors_of(&p));
    expect_content("../copy", "checksumDUCK", 0640);
    expect_content("../copy.wal", "what is not in it yet", 0600);
    cr_expect_neq(access(in_dir("../.copy.settle-copy"), F_OK), 0);
}

/* An engine that was told not to lock. */
Test(copy_locked, of_what_somebody_writes_all_the_same_there_is_none)
{
    make_duckdb();
    struct process rival = PLAIN(PYTHON, "-c", engine, in_dir("a.duckdb"), "posix");
    struct process p = copy_that_pauses("a.duckdb", "a.duckdb");
    await_refusal(&rival);
    put("a.duckdb", "checksumDUCK and more", 0640);
    unlink(in_dir("../pause"));
    expect_said(p, 3, "was written though it was locked");
    cr_expect_neq(access(to(), F_OK), 0);
    finish(&rival);
}
