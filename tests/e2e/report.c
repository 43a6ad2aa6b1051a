/* settle-report: what it makes of records, those of real programs and those that a test writes. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(report, .init = world_begin, .fini = world_end, .timeout = 120);

#define REPORT(...) PLAIN("/usr/bin/python3", "scripts/settle-report", __VA_ARGS__)

/* --- a record that the test writes --- */

enum { FIRST_TIME = 1795455148 };

static const char *record(void)
{
    static char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s.record", world.log);
    return path;
}

static void write_to(const char *path, const char *format, va_list arguments)
{
    FILE *file = fopen(path, "a");
    cr_assert_not_null(file);
    vfprintf(file, format, arguments);
    fclose(file);
}

__attribute__((format(printf, 1, 2))) static void add(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_to(record(), format, arguments);
    va_end(arguments);
}

/* What each line has; a line is a second later than the one before. */
static const char *line_of(const char *event, int pid)
{
    static char text[256];
    static int seconds;
    snprintf(text, sizeof text,
             "{\"settle\":1,\"event\":\"%s\",\"time\":%d.5,\"pid\":%d,\"thread\":%d,"
             "\"program\":\"/usr/bin/prog\"",
             event, FIRST_TIME + seconds++, pid, pid);
    return text;
}

/* more: further members, each with a comma before it. */
static void add_wait_with(const char *store, const char *outcome, double elapsed, const char *more)
{
    add("%s,\"store\":\"%s\",\"profile\":\"chroma\",\"file\":\"%s\",\"level\":\"unlocked\","
        "\"max_wait\":2.000000000,\"outcome\":\"%s\",\"elapsed\":%.9f%s}\n",
        line_of("wait ended", 100), store, store, outcome, elapsed, more);
}

static void add_wait(const char *store, const char *outcome, double elapsed)
{
    add_wait_with(store, outcome, elapsed, ",\"holders\":[]");
}

static void add_use(const char *what, const char *outcome, double elapsed, int handles)
{
    add("%s,\"store\":\"/s/db\",\"profile\":\"chroma\",\"what\":\"%s\",\"file\":\"/"
        "s\",\"handles\":%d,"
        "\"level\":\"unlocked\",\"max_wait\":2.000000000,\"outcome\":\"%s\",\"elapsed\":%.9f,"
        "\"holders\":[{\"pid\":9,\"command\":\"rsync\",\"kind\":\"flock\"}]}\n",
        line_of("store used", 100), what, handles, outcome, elapsed);
}

static void add_handle(const char *event, int pid, int fd, const char *role, const char *file)
{
    bool known = strcmp(role, "candidate") != 0;
    add("%s%s,\"fd\":%d,\"role\":\"%s\",\"file\":\"%s\"}\n", line_of(event, pid),
        known ? ",\"store\":\"/s/db\",\"profile\":\"chroma\"" : "", fd, role, file);
}

/* --- what the report says --- */

/* The first row of a query over what --json prints: j. */
static const char *ask_with(const char *delay, const char *query)
{
    static char answer[4096];
    struct process p = PLAIN("sh", "-c",
                             "/usr/bin/python3 scripts/settle-report --json --delay \"$2\" \"$1\" "
                             ">\"$1.json\" && /usr/bin/sqlite3 :memory: \"with report as (select "
                             "cast(readfile('$1.json') as text) as j) select $3\"",
                             "sh", record(), delay, query);
    if (!read_line(&p, answer, sizeof answer))
        answer[0] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    finish(&p);
    const char *errors = errors_of(&p);
    return errors[0] == '\0' ? answer : errors;
}

static const char *ask(const char *query)
{
    return ask_with("0.5", query);
}

/* All that a report prints, and its exit status. */
static char printed[1 << 16];

static int status_of(struct process p)
{
    size_t length = 0;
    while (length < sizeof printed - 1 &&
           read_line(&p, printed + length, (int)(sizeof printed - length)))
        length += strlen(printed + length);
    printed[length] = '\0';
    int status = finish(&p);
    errors_of(&p);
    return status;
}

#define expect_says(text, part) cr_expect(strstr(text, part) != NULL, "no '%s' in:\n%s", part, text)

/* --- figures --- */

static void add_ten_waits(void)
{
    for (int i = 0; i < 6; i++)
        add_wait("/s/db", "settled at once", 0.0001);
    add_wait("/s/db", "settled after waiting", 0.1);
    add_wait("/s/db", "settled after waiting", 0.3);
    add_wait("/s/db", "settled after waiting", 0.8);
    add_wait("/s/db", "timed out", 2.0);
}

Test(report, counts_closes_and_adds_their_waits)
{
    add_ten_waits();
    cr_expect_str_eq(
        ask("j ->> '$.all.closes', j -> '$.all.shares', j ->> '$.all.settled', "
            "j ->> '$.all.still_held', round(j ->> '$.all.wait.total', 6) from report"),
        "10|{\"at once\":6,\"after waiting\":3,\"timed out\":1,\"other\":0}|9|1|3.2006");
}

Test(report, a_percentile_is_the_nearest_rank)
{
    for (int i = 200; i > 0; i--)
        add_wait("/s/db", "settled after waiting", i / 1000.0);
    cr_expect_str_eq(ask("j -> '$.all.wait' ->> 'p50', j ->> '$.all.wait.p95', "
                         "j ->> '$.all.wait.p99', j ->> '$.all.wait.max' from report"),
                     "0.1|0.19|0.198|0.2");
}

Test(report, a_fixed_delay_is_too_short_for_what_was_held_longer)
{
    static const char query[] =
        "round(j ->> '$.all.fixed_delay.total', 4), round(j ->> '$.all.fixed_delay.saved', 4), "
        "j ->> '$.all.fixed_delay.early', j -> '$.all.fixed_delay.success' from report";
    add_ten_waits();
    cr_expect_str_eq(ask(query), "5.0|1.7994|2|[0.8,0.8]");
    cr_expect_str_eq(ask_with("200ms", query), "2.0|-1.2006|3|[0.7,0.7]");
    cr_expect_str_eq(ask_with("2", query), "20.0|16.7994|1|[0.9,0.9]");
}

Test(report, what_was_not_seen_is_not_known_of_a_fixed_delay_either)
{
    add_wait("/s/db", "settled at once", 0.9); /* a slow probe, nobody held it */
    add_wait("/s/db", "timed out", 0.1);
    add_wait("/s/db", "opened again", 0.1);
    add_wait("/s/db", "opened again", 0.7);
    add_wait("/s/db", "cannot be examined", 0.7);
    add_wait("/s/db", "budget spent", 0.6);
    add_wait("/s/db", "of a later version", 0.7);
    add_wait("/s/db", "removed", 0.1);
    add_wait("/s/db", "interrupted", 0.1);
    add_wait("/s/db", "interrupted", 0.7);
    cr_expect_str_eq(ask("j ->> '$.all.fixed_delay.early', j ->> '$.all.fixed_delay.unknown', "
                         "j -> '$.all.fixed_delay.success', j ->> '$.all.still_held', "
                         "j ->> '$.all.shares.other' from report"),
                     "2|7|[0.1,0.8]|1|8");
}

Test(report, stores_and_rules_are_told_apart)
{
    add_wait("/s/a", "settled after waiting", 0.1);
    add_wait_with("/s/a", "settled after waiting", 0.4, ",\"rule\":\"pool\"");
    add_wait("/s/b", "settled after waiting", 0.2);
    cr_expect_str_eq(ask("group_concat((value ->> 'store') || ' ' || (value ->> 'rule') || ' ' || "
                         "(value ->> '$.wait.total'), ', ') from report, json_each(j, '$.stores')"),
                     "/s/a pool 0.4, /s/b  0.2, /s/a  0.1");
}

struct advice {
    double settled[3]; /* 0: none */
    double timed_out;
    const char *expected;
};

Test(report, the_recommended_max_wait_says_what_it_rests_on)
{
    static const struct advice cases[] = {
        {{0}, 0, "2.0|nothing waited"},
        {{0.1, 0.2, 0.312}, 0, "1.0|twice the longest"},
        {{0.004}, 0, "0.1|twice the longest"},
        {{0.25}, 0, "0.5|twice the longest"},
        {{0.1, 1.2}, 2.0, "5.0|at least, measure again"},
        {{0.1, 0.9}, 2.0, "2.0|look at the holder"},
        {{0}, 2.0, "2.0|look at the holder"},
        {{1.6}, 0.1, "5.0|at least, measure again"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unlink(record());
        add_wait("/s/db", "settled at once", 0.0001);
        for (int j = 0; j < 3; j++)
            if (cases[i].settled[j] > 0)
                add_wait("/s/db", "settled after waiting", cases[i].settled[j]);
        if (cases[i].timed_out > 0)
            add_wait("/s/db", "timed out", cases[i].timed_out);
        cr_expect_str_eq(ask("j ->> '$.stores[0].recommended.max_wait', j ->> "
                             "'$.stores[0].recommended.why' from report"),
                         cases[i].expected, "case %zu", i);
    }
}

Test(report, the_classes_of_the_histogram_are_1_2_5)
{
    add_wait("/s/db", "settled at once", 0.00005);
    add_wait("/s/db", "settled at once", 0.000099);
    add_wait("/s/db", "settled after waiting", 0.0003);
    cr_expect_str_eq(
        ask("group_concat((value ->> 'from') || '-' || (value ->> 'to') || ':' || (value ->> "
            "'at once') || '+' || (value ->> 'after waiting'), ' ') from report, json_each(j, "
            "'$.histogram')"),
        "5.0e-05-0.0001:2+0 0.0001-0.0002:0+0 0.0002-0.0005:0+1");
}

/* --- holders, files --- */

Test(report, holders_are_told_by_the_waiting_that_they_caused)
{
    static const char both[] = ",\"holders\":[{\"pid\":7,\"command\":\"rsync\",\"kind\":\"flock\"},"
                               "{\"pid\":8,\"command\":\"backup\",\"kind\":\"OFD lock\"},"
                               "{\"pid\":6,\"command\":\"backup\",\"kind\":\"OFD lock\"}]";
    static const char one[] = ",\"holders\":[{\"pid\":9,\"command\":\"rsync\",\"kind\":\"flock\"}]";
    add_wait_with("/s/db", "timed out", 2.0, both);
    add_wait_with("/s/db", "timed out", 1.0, one);
    add_wait_with("/s/db", "settled after waiting", 0.5, ",\"woken_by_event\":1");
    add_wait("/s/db", "settled at once", 0.1);
    cr_expect_str_eq(
        ask("group_concat(coalesce(value ->> 'command', 'nobody') || ' ' || (value ->> "
            "'waits') || ' ' || (value ->> 'processes') || ' ' || (value ->> "
            "'waited'), ', ') from report, json_each(j, '$.holders')"),
        "rsync 2 2 3.0, backup 1 2 2.0, nobody 1 0 0.5");
}

Test(report, a_holder_of_two_locks_at_a_time_is_told_once)
{
    static const char two[] =
        ",\"holders\":[{\"pid\":7,\"command\":\"python3\",\"kind\":\"POSIX write lock\"},"
        "{\"pid\":7,\"command\":\"python3\",\"kind\":\"POSIX read lock\"},"
        "{\"pid\":7,\"command\":\"python3\",\"kind\":\"POSIX write lock\"}]";
    add_wait_with("/s/db", "settled after waiting", 0.5, two);
    cr_expect_str_eq(
        ask("json_array_length(j, '$.holders'), j ->> '$.holders[0].kind', "
            "j ->> '$.holders[0].waits', j ->> '$.longest_waits[0].holders' from report"),
        "1|POSIX read lock and POSIX write lock|1|"
        "python3 7, POSIX read lock and POSIX write lock");
}

/* --- uses --- */

Test(report, uses_are_told_apart_from_closes)
{
    add_wait("/s/db", "settled at once", 0.0001);
    add_use("list", "settled at once", 0.00002, 0);
    add_use("list", "settled after waiting", 0.15, 0);
    add_use("rename", "timed out", 2.0, 0);
    cr_expect_str_eq(ask("j ->> '$.all.closes', j ->> '$.uses[0].uses', j -> '$.uses[0].what', "
                         "j ->> '$.uses[0].waited', j ->> '$.uses[0].still_held', j ->> "
                         "'$.uses[0].wait.p50', j ->> '$.uses[0].open' from report"),
                     "1|3|{\"list\":2,\"rename\":1}|2|1|0.15|0");
    cr_expect_str_eq(ask("j ->> '$.holders[0].command', j ->> '$.holders[0].waits', j ->> "
                         "'$.longest_waits[0].use', j ->> '$.longest_waits[1].use' from report"),
                     "rsync|2|rename|list");
}

Test(report, which_uses_waited_and_how_long_is_told_by_what_they_were)
{
    add_use("list", "settled after waiting", 0.15, 0);
    add_use("list", "settled after waiting", 0.25, 0);
    add_use("list", "settled at once", 0.00002, 0);
    add_use("open", "not waited", 0.00001, 0);
    add_use("rename", "timed out", 2.0, 0);
    cr_expect_str_eq(ask("j -> '$.uses[0].what_waited' from report"),
                     "{\"rename\":{\"uses\":1,\"max\":2.0,\"total\":2.0},"
                     "\"list\":{\"uses\":2,\"max\":0.25,\"total\":0.4}}");
    struct process p = REPORT(record());
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    expect_says(printed,
                "/s/db, uses that waited: 1 of rename for 2.00 s, 2 of list for at most 250");
}

Test(report, a_store_that_was_used_without_being_closed_is_named)
{
    add_use("list", "settled after waiting", 0.15, 3);
    add_use("open", "not waited", 0, 1);
    add_use("unlink", "settled at once", 0, 0);
    struct process p = REPORT("--html", in_dir("page.html"), record());
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    expect_says(printed, "No close waited");
    for (char *end = printed; (end = strchr(end, '\n')) != NULL;)
        *end = ' '; /* it is wrapped */
    expect_says(printed, "/s/db was never closed before 2 of its 3 uses: up to 3 handles");
    p = PLAIN("grep", "-o",
              "It was never closed before 2 of its 3 uses\\|list, settled after waiting",
              in_dir("page.html"));
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    cr_expect_str_eq(printed,
                     "It was never closed before 2 of its 3 uses\nlist, settled after waiting\n");
}

Test(report, a_use_without_what_it_was_is_damaged)
{
    add("%s,\"store\":\"/s/db\",\"profile\":\"chroma\",\"file\":\"/"
        "s\",\"handles\":0,\"max_wait\":2.0,"
        "\"outcome\":\"timed out\",\"elapsed\":2.0}\n",
        line_of("store used", 100));
    struct process p = REPORT(record());
    cr_expect_eq(status_of(p), 1);
    expect_says(errors_of(&p), ":1: the member what is missing");
}

Test(report, the_files_of_a_process_and_what_it_never_closed)
{
    add_handle("handle opened", 100, 5, "candidate", "/s/db");
    add_handle("handle opened", 100, 5, "primary", "/s/db");
    add_handle("handle opened", 100, 6, "sidecar", "/s/db-wal");
    add_handle("handle closed", 100, 5, "primary", "/s/db");
    add_handle("handle opened", 100, 5, "primary", "/s/db");
    add_handle("handle closed", 100, 5, "primary", "/s/db");
    add_handle("handle opened", 101, 5, "candidate", "/s/not-a-database");
    cr_expect_str_eq(
        ask("group_concat((value ->> 'pid') || ' ' || (value ->> 'file') || ' ' || (value ->> "
            "'opened') || ' ' || (value ->> 'never_closed'), ', ') from report, json_each(j, "
            "'$.files')"),
        "100 /s/db 2 0, 100 /s/db-wal 1 1");
    cr_expect_str_eq(ask("count(*), max(value ->> 'fd'), max(value ->> 'exit_seen') from report, "
                         "json_each(j, '$.never_closed')"),
                     "1|6|0");
}

Test(report, a_pid_that_is_used_again_is_another_process)
{
    add_handle("handle opened", 100, 5, "primary", "/s/db");
    add("%s}\n", line_of("exit", 100));
    add_handle("handle opened", 100, 5, "primary", "/s/db");
    add_handle("handle closed", 100, 5, "primary", "/s/db");
    cr_expect_str_eq(ask("j ->> 'processes', json_array_length(j, '$.files'), json_array_length(j, "
                         "'$.never_closed'), j ->> '$.never_closed[0].exit_seen' from report"),
                     "2|2|1|1");
}

/* --- lines that are none --- */

Test(report, a_damaged_line_is_named_and_the_rest_is_read)
{
    static const char *const lines[][2] = {
        {"{\"settle\":1,\"event\":\"wait en", "no JSON"},
        {"[1]", "no object"},
        {"{\"a\":1}", "the member settle is missing"},
        {"{\"settle\":2,\"event\":\"exit\"}", "schema 2 is not known, expected 1"},
        {"{\"settle\":1,\"event\":\"nap\"}", "the event nap is not known"},
        {"{\"settle\":1,\"event\":\"exit\",\"time\":1}", "the member pid is missing"},
        {"{\"settle\":1,\"event\":\"exit\",\"time\":\"1\"}", "time is of type text, expected"},
        {"{\"settle\":1,\"event\":\"exit\",\"time\":1e999}", "time is out of range"},
        {"{\"settle\":1,\"event\":\"exit\",\"time\":NaN}", "no JSON"},
        {"{\"settle\":1,\"event\":[\"exit\"]}", "the event"},
        {"{\"settle\":true,\"event\":\"exit\"}", "schema True is not known"},
        {"\xff", "no UTF-8 at byte 1"},
    };
    enum { LINES = sizeof lines / sizeof lines[0] };
    char expected[PATH_MAX + 64];
    add_wait("/s/db", "settled at once", 0.1);
    for (int i = 0; i < LINES; i++)
        add("%s\n", lines[i][0]);
    add("\n");
    add_wait("/s/db", "settled at once", 0.1);
    struct process p = REPORT("--json", record());
    cr_expect_eq(status_of(p), 1);
    expect_says(printed, "\"closes\": 2");
    snprintf(expected, sizeof expected, "\"damaged\": %d", LINES);
    expect_says(printed, expected);
    char *said = strdup(errors_of(&p));
    for (int i = 0; i < LINES; i++) {
        snprintf(expected, sizeof expected, "settle-report: %s:%d: ", record(), i + 2);
        const char *at = strstr(said, expected);
        cr_assert_not_null(at, "no '%s' in: %s", expected, said);
        const char *problem = strstr(at, lines[i][1]);
        cr_expect(problem != NULL && problem < strchr(at, '\n'), "no '%s' in: %s", lines[i][1], at);
    }
    free(said);
}

Test(report, a_line_of_too_many_brackets_is_damaged)
{
    static char brackets[100000];
    memset(brackets, '[', sizeof brackets - 1);
    add("%s\n", brackets);
    add_wait("/s/db", "settled at once", 0.1);
    struct process p = REPORT(record());
    cr_expect_eq(status_of(p), 1);
    expect_says(errors_of(&p), ":1: no JSON: cut or damaged after, or within, 99999 characters");
    expect_says(printed, "1 damaged line left out");
}

Test(report, of_many_damaged_lines_the_first_are_named_and_the_others_counted)
{
    add_wait("/s/db", "settled at once", 0.1);
    for (int i = 0; i < 500; i++)
        add("damaged\n");
    struct process p = REPORT("--json", record());
    cr_expect_eq(status_of(p), 1);
    expect_says(printed, "\"closes\": 1");
    expect_says(printed, "\"damaged\": 500");
    const char *said = errors_of(&p);
    expect_says(said, "and 480 more damaged lines");
    int lines = 0;
    for (; (said = strchr(said, '\n')) != NULL; said++)
        lines++;
    cr_expect_eq(lines, 21);
}

Test(report, a_line_longer_than_any_of_a_record_is_damaged_and_read_past)
{
    char longest[PATH_MAX + 128];
    add_wait("/s/db", "settled at once", 0.1);
    snprintf(longest, sizeof longest, "{ printf '{\"settle\":1,\"event\":'; %s; echo; } >>'%s'",
             "head -c 3000000 /dev/zero | tr '\\0' x", record());
    struct process p = PLAIN("sh", "-c", longest);
    cr_assert_eq(status_of(p), 0, "%s", errors_of(&p));
    add_wait("/s/db", "settled at once", 0.1);
    p = REPORT("--json", record());
    cr_expect_eq(status_of(p), 1);
    expect_says(printed, "\"closes\": 2");
    expect_says(printed, "\"lines\": 3");
    expect_says(errors_of(&p), ":2: damaged: longer than 1048576 bytes");
}

Test(report, a_file_of_another_program_takes_no_memory_whatever_its_size)
{
    static const char limited[] =
        "ulimit -v 200000; head -c 300M /dev/zero | /usr/bin/python3 scripts/settle-report -; "
        "seq 1000000 | /usr/bin/python3 scripts/settle-report -";
    struct process p = PLAIN("sh", "-c", limited);
    cr_expect_eq(status_of(p), 2);
    cr_expect_str_eq(errors_of(&p),
                     "settle-report: -: no record of settle: expected what --record writes\n"
                     "settle-report: -: no record of settle: expected what --record writes\n");
}

static void expect_stranger(const char *sentence)
{
    char expected[PATH_MAX + 128];
    struct process p = REPORT("--json", record());
    cr_expect_eq(status_of(p), 2);
    cr_expect_str_empty(printed);
    snprintf(expected, sizeof expected, "settle-report: %s: %s\n", record(), sentence);
    cr_expect_str_eq(errors_of(&p), expected);
}

Test(report, a_file_that_is_no_record_is_one_sentence)
{
    for (int i = 0; i < 500; i++)
        add("A line of something else, {\"a\":1}.\n");
    expect_stranger("no record of settle: expected what --record writes");
}

Test(report, of_a_log_it_says_that_it_is_one)
{
    add("settle[4711]: warning: /s/db: still locked after 2.000 s\n");
    add("what the program printed\n");
    expect_stranger("this is settle's log; the record is what --record writes");
}

Test(report, a_python_without_sqlite_is_one_sentence)
{
    char path[PATH_MAX + 16];
    add_wait("/s/db", "settled at once", 0.1);
    FILE *file = fopen(in_dir("sqlite3.py"), "w");
    cr_assert_not_null(file);
    fputs("raise ModuleNotFoundError(name='_sqlite3')\n", file);
    fclose(file);
    snprintf(path, sizeof path, "PYTHONPATH=%s", world.dir);
    struct process p =
        PLAIN("env", path, "/usr/bin/python3", "scripts/settle-report", "--json", record());
    cr_expect_eq(status_of(p), 1);
    expect_says(errors_of(&p), "settle-report: /usr/bin/python3 has no module sqlite3, which");
    cr_expect_null(strstr(errors_of(&p), "Traceback"));
}

Test(report, a_command_without_its_parts_is_one_sentence)
{
    struct process p = PLAIN("cp", "scripts/settle-report", in_dir("settle-report"));
    cr_assert_eq(status_of(p), 0, "%s", errors_of(&p));
    p = PLAIN("/usr/bin/python3", in_dir("settle-report"), record());
    cr_expect_eq(status_of(p), 1);
    expect_says(errors_of(&p), "settle-report: no directory report in '");
    cr_expect_null(strstr(errors_of(&p), "Traceback"));
}

Test(report, a_line_with_bytes_that_are_0_is_damaged)
{
    char zeros[64] = "";
    add_wait("/s/db", "settled at once", 0.1);
    FILE *file = fopen(record(), "a");
    fwrite(zeros, 1, sizeof zeros, file);
    fclose(file);
    struct process p = REPORT(record());
    cr_expect_eq(status_of(p), 1);
    expect_says(errors_of(&p), ":2: damaged: it has bytes that are 0");
}

Test(report, a_line_that_is_cut_at_the_end_of_the_record_is_named)
{
    add_wait("/s/db", "settled at once", 0.1);
    add("{\"settle\":1,\"event\":\"wait ended\",\"ti");
    struct process p = REPORT(record());
    cr_expect_eq(status_of(p), 1);
    expect_says(errors_of(&p), ":2: no JSON: cut or damaged");
    expect_says(printed, "1 damaged line left out");
}

Test(report, an_empty_record_is_one_without_closes)
{
    add("%s", "");
    struct process p = REPORT(record());
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    expect_says(printed, "Nothing was recorded: no process");
    cr_expect_null(strstr(printed, "No store was opened"), "which nobody has said");
    p = REPORT("--html", in_dir("page.html"), "--json", record());
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    expect_says(printed, "\"all\": null");
}

Test(report, of_what_could_not_be_read_it_claims_nothing)
{
    add("{\"settle\":1,\"event\":\"wait ended\",\"ti");
    struct process p = REPORT(record());
    cr_expect_eq(status_of(p), 1);
    expect_says(printed, "No line could be read, so nothing is known.");
    cr_expect_null(strstr(printed, "Handles never closed"), "%s", printed);
    add("\n{\"settle\":1,\"event\":\"exit\",\"time\":1.5,\"pid\":1,\"thread\":1,"
        "\"program\":\"/bin/true\",\"handles\":0,\"stores\":0}\n");
    p = REPORT(record());
    cr_expect_eq(status_of(p), 1);
    expect_says(printed, "No store was opened, by the lines that could be read.");
}

Test(report, several_records_and_the_standard_input_are_read_together)
{
    add_wait("/s/db", "settled at once", 0.1);
    struct process p =
        PLAIN("sh", "-c", "/usr/bin/python3 scripts/settle-report --json \"$1\" - <\"$1\"", "sh",
              record());
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    expect_says(printed, "\"closes\": 2");
    expect_says(printed, "\"record\": \"-\"");
}

Test(report, a_record_that_cannot_be_read_is_named_with_the_reason)
{
    struct process p = REPORT(in_dir("none"));
    cr_expect_eq(status_of(p), 2);
    expect_says(errors_of(&p), "none: cannot be read: No such file or directory");
    p = REPORT(world.dir);
    cr_expect_eq(status_of(p), 2);
    expect_says(errors_of(&p), "cannot be read: Is a directory");
}

Test(report, wrong_usage_says_what_is_expected)
{
    struct process p = REPORT("--delay", "soon", record());
    cr_expect_eq(status_of(p), 2);
    expect_says(errors_of(&p), "'soon': expected seconds above 0");
    p = PLAIN("/usr/bin/python3", "scripts/settle-report");
    cr_expect_eq(status_of(p), 2);
    expect_says(errors_of(&p), "RECORD");
    add_wait("/s/db", "settled at once", 0.1);
    p = REPORT("--html", record(), record());
    cr_expect_eq(status_of(p), 2);
    expect_says(errors_of(&p), "is a record, and would be gone; expected another file");
    p = REPORT(record());
    cr_expect_eq(status_of(p), 0, "it is there still");
    p = REPORT("--html", in_dir("none/page.html"), record());
    cr_expect_eq(status_of(p), 2);
    expect_says(errors_of(&p), "page.html: cannot be written: No such file or directory");
}

/* --- records of real programs --- */

static void finish_closing(struct process *p)
{
    send_line(p, "close");
    await_line(p, "closed");
    cr_expect_eq(finish(p), 0, "%s", errors_of(p));
}

static void recorded(const char *path, unsigned held_ms)
{
    struct process p = SHIMMED_WITH(OPTIONS("--record", record(), "--max-wait", "300ms"),
                                    "/usr/bin/python3", "tests/e2e/programs/closer.py", path);
    await_line(&p, "open");
    struct process holder = hold("posix", path, held_ms);
    finish_closing(&p);
    released_at(&holder);
}

Test(report, reads_what_the_library_records)
{
    recorded(world.primary, 100);
    recorded(world.primary, 900);
    cr_expect_str_eq(ask("j ->> '$.all.closes', j ->> '$.all.shares.after waiting', j ->> "
                         "'$.all.shares.timed out', j ->> '$.holders[0].kind', j ->> "
                         "'$.all.max_wait', json_array_length(j, '$.never_closed'), "
                         "j ->> '$.records[0].damaged' from report"),
                     "2|1|1|POSIX write lock|0.3|0|0");
    struct process p = REPORT(record());
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    expect_says(printed, "POSIX write lock");
}

Test(report, reads_what_the_library_records_of_uses)
{
    struct process p = SHIMMED_WITH(OPTIONS("--record", record()), "/usr/bin/python3", "-c",
                                    "import os, sqlite3, sys\n"
                                    "connection = sqlite3.connect(sys.argv[1])\n"
                                    "connection.execute('create table t(a)')\n"
                                    "os.listdir(os.path.dirname(sys.argv[1]))\n"
                                    "connection.close()\n"
                                    "os.listdir(os.path.dirname(sys.argv[1]))\n",
                                    in_dir("chroma.sqlite3"));
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_str_eq(
        ask("j ->> '$.uses[0].uses', j -> '$.uses[0].what', j ->> '$.uses[0].open', j ->> "
            "'$.uses[0].open_handles' > 0, j ->> '$.records[0].damaged' from report"),
        "2|{\"list\":2}|1|1|0");
}

/* With who held it, in the table, in the JSON, and as a row of the page's timeline. */
Test(report, the_holder_of_a_wait_that_settled_is_told_everywhere)
{
    static const char *const kinds[][2] = {
        {"posix", "POSIX write lock"}, {"ofd", "OFD lock"}, {"flock", "flock"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        unlink(record());
        struct process p =
            SHIMMED_WITH(OPTIONS("--record", record(), "--max-wait", "5"), "/usr/bin/python3",
                         "tests/e2e/programs/closer.py", world.primary);
        await_line(&p, "open");
        struct process holder = hold(kinds[i][0], world.primary, 700);
        finish_closing(&p);
        released_at(&holder);
        char expected[128];
        snprintf(expected, sizeof expected, "1|holder|%s|1", kinds[i][1]);
        cr_expect_str_eq(
            ask("json_array_length(j, '$.holders'), j ->> '$.holders[0].command', j ->> "
                "'$.holders[0].kind', j ->> '$.holders[0].waited' > 0.1 from report"),
            expected);
        p = REPORT("--html", in_dir("page.html"), record());
        cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
        snprintf(expected, sizeof expected, "holder, %s", kinds[i][1]);
        expect_says(printed, expected);
        p = PLAIN("/usr/bin/python3", "-c",
                  "import json, re, sys\n"
                  "page = open(sys.argv[1], encoding='utf-8').read()\n"
                  "data = json.loads(re.search('id=\"data\">(.*?)</script>', page)[1])\n"
                  "print([[data['texts'][text] for text in texts] == ['holder', sys.argv[2]]\n"
                  "       for wait, pid, *texts in data['holders']])\n",
                  in_dir("page.html"), kinds[i][1]);
        cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
        cr_expect_str_eq(printed, "[True]\n");
    }
}

/* The names are shown without any byte that a terminal or a page would act on. */
Test(report, names_of_any_bytes_are_shown_and_kept)
{
    static const char *const names[][2] = {
        {"bell\a\x1b[31m", "bell\\x07\\x1b[31m"},
        {"latin1-\xe9", "latin1-\\xe9"},
        {"</script><b>&amp;'\"", "</script><b>&amp;'\""},
        {"<!--<script>", "<!--<script>"},
        {"line\nbreak", "line\\x0abreak"},
        {"right\xe2\x80\xaeleft", "right\\u202eleft"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
    };
    enum { NAMES = sizeof names / sizeof names[0] };
    char path[PATH_MAX + 32];
    for (int i = 0; i < NAMES; i++) {
        const char *dir = names[i][0][0] == '<' && names[i][0][1] == '/' ? "<" : names[i][0];
        cr_assert_eq(mkdir(in_dir(dir), 0755), 0);
        if (dir != names[i][0])
            cr_assert_eq(mkdir(in_dir(names[i][0]), 0755), 0);
        snprintf(path, sizeof path, "%s/chroma.sqlite3", in_dir(names[i][0]));
        struct process p = SHIMMED_WITH(OPTIONS("--record", record()), "/usr/bin/python3", "-c",
                                        "import os, sys\n"
                                        "os.close(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT))\n",
                                        path);
        cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    }
    struct process p = REPORT("--html", in_dir("page.html"), "--top", "0", record());
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    for (int i = 0; i < NAMES; i++)
        expect_says(printed, names[i][1]);
    for (const char *s = printed; *s != '\0'; s++)
        cr_assert((unsigned char)*s >= ' ' || *s == '\n', "byte %d", *s);

    p = PLAIN("/usr/bin/python3", "tests/e2e/programs/page.py", in_dir("page.html"));
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    cr_expect_eq(strncmp(printed, "fine\n", 5), 0, "%s", printed);
    for (int i = 0; i < NAMES; i++)
        expect_says(printed, names[i][1]);

    p = PLAIN("/usr/bin/python3", "-c",
              "import json, os, subprocess, sys\n"
              "report = json.loads(subprocess.check_output([sys.executable, "
              "'scripts/settle-report', '--json', sys.argv[1]]))\n"
              "for one in report['files']:\n"
              "    assert os.path.exists(os.fsencode(one['file'])), one\n"
              "print(len(report['files']))\n",
              record());
    cr_expect_eq(await_number(&p, ""), NAMES);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* --- the terminal and the page --- */

static size_t widest(const char *text)
{
    size_t most = 0, width = 0;
    for (; *text != '\0'; text++) {
        width += (*text & 0xc0) != 0x80; /* a character, not its further bytes */
        if (*text == '\n') {
            most = width - 1 > most ? width - 1 : most;
            width = 0;
        }
    }
    return most;
}

static void add_wide_things(void)
{
    char store[300];
    snprintf(store, sizeof store, "/%0200d/chroma.sqlite3", 7);
    for (int i = 0; i < 30; i++) {
        add_wait_with(store, "settled after waiting", 59.9 * i, ",\"rule\":\"a-rule-with-a-name\"");
        add_wait_with(
            "/s/db", "timed out", 3600.0 * i,
            ",\"holders\":[{\"pid\":4194304,\"command\":\"a command\",\"kind\":\"POSIX write "
            "lock\"}]");
        add_wait("/s/db", "of a later version, whose name is a long one", 0.00001);
    }
    for (int i = 0; i < 12; i++)
        add_handle("handle opened", 4194300, 1000000 + i, "primary", store);
}

Test(report, tables_fit_into_80_columns)
{
    add_wide_things();
    struct process p = REPORT(record());
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    cr_expect_leq(widest(printed), 80, "%zu in:\n%s", widest(printed), printed);
    expect_says(printed, "and 2 more (--top 0 shows all)");
    p = REPORT("--top", "0", record());
    status_of(p);
    cr_expect(strstr(printed, "more (--top") == NULL);
}

Test(report, colours_are_for_a_terminal_that_wants_them)
{
    char script[PATH_MAX + 128];
    add_ten_waits();
    struct process p = REPORT(record());
    status_of(p);
    cr_expect(strchr(printed, '\x1b') == NULL, "colours in a pipe");
    snprintf(script, sizeof script,
             "env -u NO_COLOR TERM=xterm /usr/bin/python3 scripts/settle-report '%s'", record());
    p = PLAIN("/usr/bin/script", "-qec", script, "/dev/null");
    status_of(p);
    cr_expect(strchr(printed, '\x1b') != NULL, "no colours on a terminal: %s", printed);
    snprintf(script, sizeof script,
             "NO_COLOR=1 TERM=xterm /usr/bin/python3 scripts/settle-report '%s'", record());
    p = PLAIN("/usr/bin/script", "-qec", script, "/dev/null");
    status_of(p);
    cr_expect(strchr(printed, '\x1b') == NULL, "colours in spite of NO_COLOR");
}

Test(report, a_terminal_of_ascii_gets_ascii)
{
    add_ten_waits();
    struct process p = PLAIN("env", "PYTHONIOENCODING=ascii", "/usr/bin/python3",
                             "scripts/settle-report", record());
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    for (const char *s = printed; *s != '\0'; s++)
        cr_assert((unsigned char)*s < 0x80);
    expect_says(printed, "###");
}

Test(report, the_page_is_whole_and_fetches_nothing)
{
    add_wide_things();
    struct process p = REPORT("--html", in_dir("page.html"), record());
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    p = PLAIN("/usr/bin/python3", "tests/e2e/programs/page.py", in_dir("page.html"));
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    cr_expect_eq(strncmp(printed, "fine\n", 5), 0, "%s", printed);
}

/* A reader that went over all lines again for each would need hours. */
Test(report, a_hundred_thousand_lines_are_read_in_reasonable_time)
{
    FILE *file = fopen(record(), "w");
    cr_assert_not_null(file);
    for (int i = 0; i < 25000; i++) {
        static const char *const events[] = {"store opened", "handle opened", "handle closed",
                                             "wait ended"};
        for (int event = 0; event < 4; event++)
            fprintf(file,
                    "%s,\"store\":\"/s/db\",\"profile\":\"chroma\",\"fd\":5,\"role\":\"primary\","
                    "\"file\":\"/s/db\",\"max_wait\":2.0,\"outcome\":\"settled after waiting\","
                    "\"elapsed\":0.%05d}\n",
                    line_of(events[event], 100 + i % 50), i);
    }
    fclose(file);
    /* A busy machine may take longer than a line is waited for. */
    struct process p = PLAIN("sh", "-c",
                             "/usr/bin/python3 scripts/settle-report --json --html \"$1\" \"$2\" & "
                             "while kill -0 $! 2>/dev/null; do echo; sleep 1; done; wait $!",
                             "sh", in_dir("page.html"), record());
    cr_expect_eq(status_of(p), 0, "%s", errors_of(&p));
    expect_says(printed, "\"closes\": 25000");
    expect_says(printed, "\"processes\": 50");
}
