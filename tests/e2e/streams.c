/* Where the library's lines go, and where they must never go: into the host's files. */
#include "host.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(streams, .init = world_begin, .fini = world_end, .timeout = 300);

/* A bad setting is a warning at start; debug has something to say at each open and close. */
static const char *const talkative[] = {"SETTLE_LOG=debug", "SETTLE_MAX_FILES=many", NULL};

static void run_shell(const char *script)
{
    struct process p = PLAIN("sh", "-c", script, "sh", world.dir);
    cr_expect_eq(finish(&p), 0, "%s: %s", script, errors_of(&p));
}

static void make_database(void)
{
    run_shell("sqlite3 \"$1\"/chroma.sqlite3 'create table t(a); insert into t values (1)'");
}

static void expect_no_line_in_the_store(void)
{
    run_shell("if grep -rF 'settle[' \"$1\" >&2; then exit 1; fi; "
              "[ \"$(sqlite3 \"$1\"/chroma.sqlite3 'pragma integrity_check')\" = ok ]");
}

/* --- standard error --- */

/* Opens the store as descriptor 2, and ends its wait with a warning. */
static void expect_store_untouched(const char *wrapper)
{
    static const char program[] = "import os, sys\n"
                                  "try: os.close(2)\n"
                                  "except OSError: pass\n"
                                  "fd = os.open(sys.argv[1], os.O_RDWR)\n"
                                  "print('open', fd, flush=True)\n"
                                  "sys.stdin.readline()\n"
                                  "os.close(fd)\n"
                                  "print('closed', flush=True)\n";
    static const char *const settings[] = {"SETTLE_LOG=debug", "SETTLE_MAX_FILES=many",
                                           "SETTLE_MAX_WAIT=100ms", NULL};
    make_database();
    run_shell("cp \"$1\"/chroma.sqlite3 \"$1\"/../before");
    const struct around around = {.wrapper = OPTIONS("sh", "-c", wrapper, world.primary),
                                  .settings = settings};
    expect_same_result(PYTHON_HOST("-c", program), &around, DELAYS, NULL);
    run_shell("cmp \"$1\"/chroma.sqlite3 \"$1\"/../before");
}

Test(streams, a_store_that_is_descriptor_2_is_not_written_into)
{
    expect_store_untouched("exec \"$@\" 2>/dev/null");
}

Test(streams, a_store_that_is_descriptor_2_of_a_host_started_without_is_not_written_into)
{
    expect_store_untouched("exec \"$@\" 2>&-");
}

/* Its parent had it there, and a child inherits it. */
Test(streams, a_store_that_is_descriptor_2_from_the_start_is_not_written_into)
{
    expect_store_untouched("exec \"$@\" 2<>\"$0\"");
}

/* A host that only starts and ends, with a warning to write. */
static void run_with_a_warning(const char *wrapper, const char *setting)
{
    struct process p =
        PLAIN("sh", "-c", wrapper, world.primary, "env", preload(NULL, library_path()),
              "SETTLE_MAX_FILES=many", setting, "/usr/bin/python3", "-c", "");
    cr_expect_eq(result_of(&p).status, 0, "%s", errors_of(&p));
}

Test(streams, an_empty_store_that_is_descriptor_2_from_the_start_is_not_written_into)
{
    run_with_a_warning("exec \"$@\" 2<>\"$0\"", "SETTLE_LOG=warn");
    run_shell("[ ! -s \"$1\"/chroma.sqlite3 ]");
}

static void expect_unharmed_with_stderr_to(const char *where)
{
    const struct around around = {
        .wrapper = OPTIONS("/usr/bin/python3", "tests/e2e/programs/stderr_to.py", where),
        .settings = talkative};
    expect_same_result(&hosts[PERL], &around, WAITS, NULL);
    expect_same_result(&hosts[SHELL], &around, WAITS, NULL);
}

Test(streams, a_standard_error_that_takes_nothing_harms_no_host)
{
    expect_unharmed_with_stderr_to("nowhere");
    expect_unharmed_with_stderr_to("full-device");
}

Test(streams, a_standard_error_whose_reader_is_gone_harms_no_host)
{
    expect_unharmed_with_stderr_to("closed-pipe");
    expect_unharmed_with_stderr_to("closed-socket");
}

Test(streams, a_standard_error_that_nobody_reads_stops_no_host)
{
    expect_unharmed_with_stderr_to("full-pipe");
    expect_unharmed_with_stderr_to("full-socket");
}

Test(streams, a_terminal_that_stops_background_output_stops_no_host)
{
    expect_unharmed_with_stderr_to("background");
}

Test(streams, a_standard_error_at_its_size_limit_kills_no_host)
{
    static const char program[] = "open(my $f, '+<', $ARGV[0]) or die;\n"
                                  "$| = 1; print \"open\\n\"; <STDIN>;\n"
                                  "close($f); print \"closed\\n\"";
    const struct host reader = {"Perl", {"/usr/bin/perl", "-e", program}, NULL, "close"};
    const struct around around = {
        .wrapper = OPTIONS("/usr/bin/python3", "tests/e2e/programs/stderr_to.py", "size-limit"),
        .settings = talkative};
    expect_same_result(&reader, &around, WAITS, NULL);
}

/* --- the log file --- */

static void expect_refused(const char *variable, const char *file, const char *said)
{
    char log_file[PATH_MAX + 32];
    snprintf(log_file, sizeof log_file, "%s=%s", variable, file);
    const char *const settings[] = {"SETTLE_LOG=debug", log_file, NULL};
    for (int i = 0; i < HOSTS; i++)
        expect_same_result(&hosts[i], &(const struct around){.settings = settings}, WAITS, said);
}

Test(streams, a_full_device_as_the_log_file_is_said_once)
{
    expect_refused("SETTLE_LOG_FILE", "/dev/full", "cannot be written (ENOSPC)");
}

Test(streams, a_full_disk_under_the_log_file_is_said_once)
{
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: a mount needs root");
        return;
    }
    char script[2 * PATH_MAX];
    char log_file[PATH_MAX + 32];
    const char *disk = in_dir("../disk");
    snprintf(script, sizeof script,
             "mkdir -p '%s' && mount -t tmpfs -o size=16k none '%s' && "
             "! cat /dev/zero 2>/dev/null > '%s/filler' && exec \"$@\"",
             disk, disk, disk);
    snprintf(log_file, sizeof log_file, "SETTLE_LOG_FILE=%s/log", disk);
    const char *const settings[] = {"SETTLE_LOG=debug", log_file, NULL};
    const struct around around = {
        .wrapper = OPTIONS("unshare", "--mount", "sh", "-c", script, "sh"), .settings = settings};
    expect_same_result(&hosts[PYTHON], &around, WAITS, "cannot be written (ENOSPC)");
}

Test(streams, a_fifo_without_a_reader_as_the_log_file_is_said_once)
{
    const char *fifo = in_dir("../fifo");
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    expect_refused("SETTLE_LOG_FILE", fifo, "cannot be written (ENXIO)");
}

Test(streams, a_fifo_that_nobody_reads_as_the_log_file_is_said_once)
{
    static const char zeros[4096];
    const char *fifo = in_dir("../fifo");
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int writer = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    while (write(writer, zeros, sizeof zeros) > 0)
        ;
    close(writer);
    expect_refused("SETTLE_LOG_FILE", fifo, "cannot be written (EAGAIN)");
    close(reader);
}

Test(streams, a_symbolic_link_as_the_log_file_is_refused)
{
    const char *link = in_dir("../link");
    cr_assert_eq(symlink(in_dir("../target"), link), 0);
    expect_refused("SETTLE_LOG_FILE", link, "cannot be written (ELOOP)");
    cr_expect_neq(access(in_dir("../target"), F_OK), 0, "it was followed");
}

Test(streams, a_directory_as_the_log_file_is_said_once)
{
    expect_refused("SETTLE_LOG_FILE", in_dir(".."), "cannot be written (EISDIR)");
}

Test(streams, the_store_as_the_log_file_is_refused)
{
    expect_refused("SETTLE_LOG_FILE", world.primary, "SETTLE_LOG_FILE=");
    expect_no_line_in_the_store();
}

Test(streams, a_new_store_as_the_log_file_is_refused)
{
    char log_file[PATH_MAX + 32];
    snprintf(log_file, sizeof log_file, "SETTLE_LOG_FILE=%s", world.primary);
    cr_assert_eq(unlink(world.primary), 0);
    run_with_a_warning("exec \"$@\"", log_file);
    cr_expect_neq(access(world.primary, F_OK), 0, "it was made");
}

Test(streams, a_sidecar_as_the_log_file_is_refused)
{
    expect_refused("SETTLE_LOG_FILE", in_dir("chroma.sqlite3-wal"), "SETTLE_LOG_FILE=");
    expect_refused("SETTLE_LOG_FILE", in_dir("chroma.sqlite3-journal"), "SETTLE_LOG_FILE=");
    expect_no_line_in_the_store();
}

Test(streams, a_database_of_any_name_as_the_log_file_is_refused)
{
    make_database();
    cr_assert_eq(link(world.primary, in_dir("app.log")), 0);
    expect_refused("SETTLE_LOG_FILE", in_dir("app.log"), "SETTLE_LOG_FILE=");
    expect_no_line_in_the_store();
}

Test(streams, the_store_as_the_file_of_records_is_refused)
{
    char record[PATH_MAX + 32];
    snprintf(record, sizeof record, "SETTLE_RECORD=%s", world.primary);
    const char *const settings[] = {record, NULL};
    expect_same_result(&hosts[PYTHON], &(const struct around){.settings = settings}, WAITS,
                       "SETTLE_RECORD=");
    run_shell("if grep -F '\"time\"' \"$1\"/chroma.sqlite3 >&2; then exit 1; fi; "
              "[ \"$(sqlite3 \"$1\"/chroma.sqlite3 'pragma integrity_check')\" = ok ]");
}
