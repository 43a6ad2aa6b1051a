/* settle-wait --checkpoint: what is folded into a database, and what is left alone and why. */
#include "commands/checkpoint.h"

#include "unit.h"
#include "wait/wal.h"

TestSuite(checkpoint, .init = dir_begin, .fini = dir_end, .timeout = 30);

static char why[256];

static enum folded fold(const char *path)
{
    struct text t = text_in(why, sizeof why);
    return checkpoint_fold(path, &t);
}

/* SQLite's shell as somebody who has the database of the test open, and has run a script. */
static FILE *open_shell(const char *script)
{
    static unsigned shells;
    char command[128];
    char ready[128];
    snprintf(command, sizeof command, "/usr/bin/sqlite3 %s/db >/dev/null", unit_dir);
    snprintf(ready, sizeof ready, "%s/ready-%u", unit_dir, shells++);
    FILE *shell = popen(command, "w");
    fprintf(shell, "%s\n.system touch %s\n", script, ready);
    fflush(shell);
    while (access(ready, F_OK) != 0)
        poll(NULL, 0, 1);
    return shell;
}

/* Its path, valid for the whole test. */
static const char *database(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/db", unit_dir);
    return path;
}

static const char in_wal[] =
    "pragma journal_mode=wal; create table t(a); insert into t values (1);";

Test(checkpoint, what_is_whole_is_left_alone)
{
    a_file("db");
    cr_expect_eq(fold(database()), FOLDED_NOTHING, "whatever it is");
}

/* Who only has it open has no share in the -wal. */
Test(checkpoint, frames_are_folded_though_somebody_has_the_database_open)
{
    FILE *shell = open_shell(in_wal);
    cr_expect_gt(wal_frames_missing(database(), UINT64_MAX), 0);
    cr_expect_eq(fold(database()), FOLDED, "%s", why);
    cr_expect_eq(wal_frames_missing(database(), UINT64_MAX), 0);
    pclose(shell);
}

Test(checkpoint, one_who_reads_is_in_the_way)
{
    FILE *writer = open_shell(in_wal);
    FILE *reader = open_shell("begin; select count(*) from t;");
    FILE *done = open_shell("begin immediate; insert into t values (3); commit;");
    cr_expect_eq(fold(database()), FOLDED_BUSY, "%s", why);
    cr_expect_gt(wal_frames_missing(database(), UINT64_MAX), 0);
    pclose(reader);
    cr_expect_eq(fold(database()), FOLDED, "%s", why);
    pclose(writer);
    pclose(done);
}

Test(checkpoint, what_is_no_database_is_not_touched)
{
    a_file("db");
    a_file("db-journal");
    cr_expect_eq(fold(database()), FOLDED_FAILED);
    cr_expect_not_null(strstr(why, "is no SQLite database"), "%s", why);
    cr_expect_eq(access(in_dir("db-journal"), F_OK), 0);
}

Test(checkpoint, why_it_failed_is_sqlites_reason)
{
    write_file(in_dir("db"), "SQLite format 3");
    cr_assert_eq(truncate(in_dir("db"), 4096), 0);
    a_file("db-journal");
    cr_expect_eq(fold(database()), FOLDED_FAILED);
    cr_expect_str_eq(why, "file is not a database");
}
