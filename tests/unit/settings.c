/* The settings: each variable's values and default, and the one sentence that a bad value gets. */
#include "config/settings.h"

#include "unit.h"

TestSuite(settings, .timeout = 10);

static unsigned complaints;
static char complaint[1024];

static void complain(const char *message)
{
    complaints++;
    snprintf(complaint, sizeof complaint, "%s", message);
}

/* A string of n times the same character, in memory that is never given back. */
static const char *many(char c, size_t n)
{
    char *s = calloc(n + 1, 1);
    cr_assert_not_null(s);
    memset(s, c, n);
    return s;
}

static struct settings defaults(void)
{
    struct settings s = {0};
    settings_set_defaults(&s);
    return s;
}

Test(settings, durations_are_seconds_or_milliseconds)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
        {"2", 2000000000},         {"2.0", 2000000000},
        {"2s", 2000000000},        {"0", 0},
        {"0.05", 50000000},        {".5", 500000000},
        {"500ms", 500000000},      {"1.5ms", 1500000},
        {"0.2ms", 200000},         {"0.000000001", 1},
        {"86400", 86400000000000}, {"86400000ms", 86400000000000},
        {"0.00000000012345", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t ns = 42;
        cr_expect(settings_duration(cases[i].text, &ns), "'%s' is refused", cases[i].text);
        cr_expect_eq(ns, cases[i].ns, "'%s' is %lu ns", cases[i].text, (unsigned long)ns);
    }
}

Test(settings, what_is_no_duration_is_refused_and_changes_nothing)
{
    static const char *const refused[] = {
        "",
        " 1",
        "1 ",
        "-1",
        "+1",
        "1 s",
        "1e3",
        "0x10",
        "1,5",
        "ms",
        ".",
        ".s",
        "1.2.3",
        "nan",
        "inf",
        "1m",
        "1us",
        "1sec",
        "86401",
        "86400.000000001",
        "86400001ms",
        "86400000.1ms",
        "99999999999999999999",
        "18446744073709551617",
        "18446744073709551616ms",
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        uint64_t ns = 42;
        cr_expect_not(settings_duration(refused[i], &ns), "'%s' is taken", refused[i]);
        cr_expect_eq(ns, 42u, "'%s' changed the value", refused[i]);
    }
}

Test(settings, the_defaults_are_those_of_the_manual)
{
    struct settings s = defaults();
    cr_expect_eq(s.max_wait, 2000000000u);
    cr_expect_eq(s.check_interval, 50000000u);
    cr_expect_eq(s.fallback_delay, 100000000u);
    cr_expect_eq(s.total_wait, NO_LIMIT);
    cr_expect_eq(s.until, UNTIL_UNLOCKED);
    cr_expect_eq(s.trigger, TRIGGER_LAST);
    cr_expect_eq(s.at_use, AT_USE_SETTLED);
    cr_expect_eq(s.keep_locks, KEEP_LOCKS_ON);
    cr_expect_eq(s.at_exit, AT_EXIT_PENDING);
    cr_expect_eq(s.children, CHILDREN_ON);
    cr_expect_eq(s.summary, SUMMARY_OFF);
    cr_expect_eq(s.deepbind, DEEPBIND_KEEP);
    cr_expect_eq(s.log, LOG_WARN);
    cr_expect_eq(s.max_collections, 5u);
    cr_expect_eq(s.max_files, 3u);
    cr_expect_str_eq(s.stores, "chroma");
    cr_expect_str_empty(s.dirs);
    cr_expect_str_empty(s.log_file);
}

Test(settings, each_variable_sets_its_own_field)
{
    char *const environment[] = {
        (char[]){"PATH=/bin"},
        (char[]){"SETTLE_MAX_WAIT=1"},
        (char[]){"SETTLE_CHECK_INTERVAL=2ms"},
        (char[]){"SETTLE_FALLBACK_DELAY=3"},
        (char[]){"SETTLE_TOTAL_WAIT=4s"},
        (char[]){"SETTLE_RULES=/srv: max_wait=1"},
        (char[]){"SETTLE_UNTIL=closed"},
        (char[]){"SETTLE_TRIGGER=every"},
        (char[]){"SETTLE_AT_USE=pending"},
        (char[]){"SETTLE_KEEP_LOCKS=off"},
        (char[]){"SETTLE_AT_EXIT=off"},
        (char[]){"SETTLE_DEEPBIND=strip"},
        (char[]){"SETTLE_LOG=debug"},
        (char[]){"SETTLE_MAX_COLLECTIONS=0"},
        (char[]){"SETTLE_MAX_FILES=1000000"},
        (char[]){"SETTLE_STORES=chroma:sqlite"},
        (char[]){"SETTLE_DIRS=/data/*:/srv"},
        (char[]){"SETTLE_LOG_FILE=/tmp/x=y"},
        (char[]){"SETTLE_DISABLE=0"},
        NULL,
    };
    struct settings s = defaults();
    settings_read(&s, environment, complain);
    cr_expect_eq(complaints, 0u, "%s", complaint);
    cr_expect_eq(s.max_wait, 1000000000u);
    cr_expect_eq(s.check_interval, 2000000u);
    cr_expect_eq(s.fallback_delay, 3000000000u);
    cr_expect_eq(s.total_wait, 4000000000u);
    cr_expect_eq(s.until, UNTIL_CLOSED);
    cr_expect_eq(s.trigger, TRIGGER_EVERY);
    cr_expect_eq(s.at_use, AT_USE_PENDING);
    cr_expect_eq(s.keep_locks, KEEP_LOCKS_OFF);
    cr_expect_eq(s.at_exit, AT_EXIT_OFF);
    cr_expect_eq(s.deepbind, DEEPBIND_STRIP);
    cr_expect_eq(s.log, LOG_DEBUG);
    cr_expect_eq(s.max_collections, 0u);
    cr_expect_eq(s.max_files, 1000000u);
    cr_expect_str_eq(s.stores, "chroma:sqlite");
    cr_expect_str_eq(s.dirs, "/data/*:/srv");
    cr_expect_str_eq(s.log_file, "/tmp/x=y");
}

Test(settings, a_bad_value_is_one_complaint_that_names_it_and_what_is_right_and_the_default_holds)
{
    static const struct {
        const char *name, *value, *expected;
    } cases[] = {
        {"SETTLE_MAX_WAIT", "fast", "seconds such as 2.0 or 500ms"},
        {"SETTLE_CHECK_INTERVAL", "-1", "seconds such as 2.0 or 500ms"},
        {"SETTLE_FALLBACK_DELAY", "1h", "seconds such as 2.0 or 500ms"},
        {"SETTLE_TOTAL_WAIT", "none", "seconds such as 2.0 or 500ms"},
        {"SETTLE_UNTIL", "done", "unlocked, unwritten or closed"},
        {"SETTLE_TRIGGER", "first", "last, every or use"},
        {"SETTLE_AT_EXIT", "on", "pending or off"},
        {"SETTLE_DEEPBIND", "1", "keep or strip"},
        {"SETTLE_LOG", "WARN", "off, warn, info or debug"},
        {"SETTLE_MAX_COLLECTIONS", "-1", "a whole number from 0 (all) to 1000000"},
        {"SETTLE_MAX_FILES", "1000001", "a whole number from 0 (all) to 1000000"},
        {"SETTLE_MAX_FILES", "3x", "a whole number"},
        {"SETTLE_MAX_FILES", "99999999999999999999", "a whole number"},
        {"SETTLE_STORES", "mysql", "h2, or all"},
        {"SETTLE_DIRS", "", "directories or globs, colon-separated, less than 8 KiB in all"},
        {"SETTLE_LOG_FILE", "", "the path of a file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings s = defaults();
        struct settings before;
        char quoted[64];
        memcpy(&before, &s, sizeof s);
        complaints = 0;
        cr_expect_not(settings_take(&s, cases[i].name, cases[i].value, complain));
        snprintf(quoted, sizeof quoted, "%s='%s'", cases[i].name, cases[i].value);
        cr_expect_eq(complaints, 1u, "%s", quoted);
        cr_expect_not_null(strstr(complaint, quoted), "%s", complaint);
        cr_expect_not_null(strstr(complaint, cases[i].expected), "%s", complaint);
        cr_expect_not_null(strstr(complaint, "the default is used"), "%s", complaint);
        cr_expect_eq(memcmp(&s, &before, sizeof s), 0, "%s changed something", quoted);
    }
}

Test(settings, a_value_that_is_too_long_is_refused)
{
    struct settings s = defaults();
    cr_expect(settings_take(&s, "SETTLE_DIRS", many('d', DIRS_SIZE - 1), complain));
    s = defaults();
    cr_expect_not(settings_take(&s, "SETTLE_DIRS", many('d', DIRS_SIZE), complain));
    cr_expect_str_empty(s.dirs);
    cr_expect(settings_take(&s, "SETTLE_LOG_FILE", many('f', PATH_MAX - 1), complain));
    s = defaults();
    cr_expect_not(settings_take(&s, "SETTLE_LOG_FILE", many('f', PATH_MAX), complain));
    cr_expect_str_empty(s.log_file);
}

Test(settings, a_list_of_known_stores_that_is_too_long_is_refused_and_the_default_holds)
{
    struct settings s = defaults();
    char list[STORES_SIZE + 8] = "chroma";
    while (strlen(list) < STORES_SIZE)
        strcat(list, ":chroma");
    cr_expect_not(settings_take(&s, "SETTLE_STORES", list, complain));
    cr_expect_str_eq(s.stores, "chroma");
}

Test(settings, a_long_value_is_cut_in_the_complaint_and_leaves_room_for_what_is_right)
{
    struct settings s = defaults();
    settings_take(&s, "SETTLE_STORES", many('x', 5000), complain);
    cr_expect_not_null(strstr(complaint, "expected chroma, sqlite, "), "%s", complaint);
}

Test(settings, a_complaint_is_one_line)
{
    struct settings s = defaults();
    settings_take(&s, "SETTLE_LOG", "a\nb", complain);
    cr_expect_null(strchr(complaint, '\n'));
}

Test(settings, the_log_file_has_the_pid_wherever_it_is_asked_for)
{
    struct settings s = defaults();
    char expected[64];
    cr_expect(settings_take(&s, "SETTLE_LOG_FILE", "/x/%p.%p%d%", complain));
    snprintf(expected, sizeof expected, "/x/%d.%d%%d%%", getpid(), getpid());
    cr_expect_str_eq(s.log_file, expected);
}

Test(settings, a_misspelt_variable_is_complained_about_and_a_strange_one_is_not_ours)
{
    char *const environment[] = {(char[]){"SETTLE_MAXWAIT=1"}, (char[]){"SETTLED=1"},
                                 (char[]){"settle_log=off"}, (char[]){"SETTLE_WITHOUT_A_VALUE"},
                                 NULL};
    struct settings s = defaults();
    settings_read(&s, environment, complain);
    cr_expect_eq(complaints, 1u);
    cr_expect_str_eq(complaint,
                     "SETTLE_MAXWAIT: no such setting (settle --help lists them); it is ignored");
    cr_expect_not(settings_take(&s, "SETTLE_MAXWAIT", "1", complain));
    cr_expect_eq(complaints, 1u, "settings_take leaves unknown names to its caller");
}

Test(settings, a_process_without_an_environment_gets_the_defaults)
{
    static char *const nothing[] = {NULL};
    struct settings s = defaults();
    settings_read(&s, NULL, complain);
    settings_read(&s, nothing, complain);
    cr_expect_eq(complaints, 0u);
    cr_expect_not(settings_disabled(NULL));
    cr_expect_null(settings_variable(NULL, "SETTLE_LOG"));
}

Test(settings, of_an_environment_what_is_ours_is_kept_in_its_order)
{
    char *room[3];
    char *const environment[] = {(char[]){"HOME=/"},          (char[]){"SETTLE_LOG=off"},
                                 (char[]){"SETTLE=1"},        (char[]){"SETTLE_LOG=debug"},
                                 (char[]){"XSETTLE_LOG=off"}, NULL};
    char *const *ours = settings_environment(environment, room, 3);
    cr_assert_eq(ours, (char *const *)room);
    cr_expect_eq(ours[0], environment[1]);
    cr_expect_eq(ours[1], environment[3]);
    cr_expect_null(ours[2]);
    cr_expect_null(settings_environment(NULL, room, 3)[0]);
}

Test(settings, an_environment_with_more_of_ours_than_there_is_room_for_stays_as_it_is)
{
    char *room[2];
    char *const environment[] = {(char[]){"SETTLE_LOG=off"}, (char[]){"SETTLE_DISABLE=1"}, NULL};
    cr_expect_eq(settings_environment(environment, room, 2), (char *const *)environment);
}

static bool disabled_by(const char *variable)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%s", variable);
    char *const environment[] = {copy, NULL};
    return settings_disabled(environment);
}

Test(settings, disable_is_anything_but_nothing_and_zero)
{
    cr_expect(disabled_by("SETTLE_DISABLE=1"));
    cr_expect(disabled_by("SETTLE_DISABLE=00"));
    cr_expect(disabled_by("SETTLE_DISABLE=no"));
    cr_expect_not(disabled_by("SETTLE_DISABLE=0"));
    cr_expect_not(disabled_by("SETTLE_DISABLE="));
    cr_expect_not(disabled_by("SETTLE_DISABLED=1"));
    cr_expect_not(disabled_by("SETTLE_DISABLE"));
}

Test(settings, what_reads_as_if_it_were_not_disabled_is_said)
{
    char *const off[] = {(char[]){"SETTLE_DISABLE=off"}, NULL};
    char *const on[] = {(char[]){"SETTLE_DISABLE=1"}, NULL};
    cr_expect_not(settings_disabled_oddly(on, complain));
    cr_expect_not(settings_disabled_oddly(NULL, complain));
    cr_expect(settings_disabled_oddly(off, NULL));
    cr_expect_eq(complaints, 0u);
    cr_expect(settings_disabled_oddly(off, complain));
    cr_expect_eq(complaints, 1u);
    cr_expect_not_null(strstr(complaint, "SETTLE_DISABLE='off': expected 1 or 0"), "%s", complaint);
}
