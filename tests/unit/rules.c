/* SETTLE_RULES: how they are read, which one holds, and what is said of what is wrong in them. */
#include "config/rules.h"

#include "unit.h"

TestSuite(rules, .timeout = 10);

static unsigned complaints;
static char complaint[1024];

static void complain(const char *message)
{
    complaints++;
    snprintf(complaint, sizeof complaint, "%s", message);
}

static void read_rules(const char *text)
{
    struct settings s;
    settings_set_defaults(&s);
    complaints = 0;
    rules_read(text, &s, complain);
}

/* The rule for a store in a directory. */
static const struct rule *rule_in(const char *directory)
{
    char primary[PATH_MAX];
    snprintf(primary, sizeof primary, "%s/chroma.sqlite3", directory);
    return rules_get(rules_find(primary));
}

Test(rules, without_any_the_settings_hold)
{
    static const char *const nothing[] = {NULL, "", " ; \n;\t"};
    struct settings s;
    settings_set_defaults(&s);
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        s.max_wait = 7;
        s.check_interval = 8;
        s.trigger = TRIGGER_EVERY;
        rules_read(nothing[i], &s, complain);
        const struct rule *rule = rule_in("/srv");
        cr_expect_eq(rules_find("/srv/chroma.sqlite3"), 0u);
        cr_expect_eq(rule->max_wait, 7u);
        cr_expect_eq(rule->check_interval, 8u);
        cr_expect_eq(rule->until, UNTIL_UNLOCKED);
        cr_expect_eq(rule->trigger, TRIGGER_EVERY);
        cr_expect_str_empty(rule->name);
        cr_expect_eq(complaints, 0u, "%s", complaint);
    }
}

Test(rules, each_option_sets_its_own_field_and_the_rest_is_as_in_the_settings)
{
    read_rules("/a: max_wait=1.5; /b: check_interval=3ms; /c: trigger=every; /d: name=x;"
               "/e: until=closed; /f: name=f");
    cr_expect_eq(complaints, 0u, "%s", complaint);
    cr_expect_eq(rule_in("/a")->max_wait, 1500u * MS);
    cr_expect_eq(rule_in("/a")->check_interval, 50u * MS);
    cr_expect_eq(rule_in("/b")->max_wait, 2000u * MS);
    cr_expect_eq(rule_in("/b")->check_interval, 3u * MS);
    cr_expect_eq(rule_in("/b")->trigger, TRIGGER_LAST);
    cr_expect_eq(rule_in("/c")->trigger, TRIGGER_EVERY);
    cr_expect_str_empty(rule_in("/c")->name);
    cr_expect_str_eq(rule_in("/d")->name, "x");
    cr_expect_eq(rule_in("/e")->until, UNTIL_CLOSED);
    cr_expect_eq(rules_find("/f/x"), 6u, "a rule without options is an exception to those behind");
}

Test(rules, blanks_and_new_lines_may_stand_anywhere_between)
{
    read_rules("\n  /a :\n\tmax_wait=1\r\n\tname=one\n;\n  /b b:max_wait=3  name=two ;\n");
    cr_expect_eq(complaints, 0u, "%s", complaint);
    cr_expect_eq(rule_in("/a")->max_wait, 1000u * MS);
    cr_expect_str_eq(rule_in("/a")->name, "one");
    cr_expect_eq(rule_in("/b b")->max_wait, 3000u * MS);
    cr_expect_str_eq(rule_in("/b b")->name, "two");
}

Test(rules, a_rule_holds_in_the_directories_that_its_glob_matches_and_below)
{
    read_rules("/tmp/delta-*: name=delta; /srv/: name=srv; /*/deep/x[0-9]: name=deep");
    cr_expect_str_eq(rule_in("/tmp/delta-1")->name, "delta");
    cr_expect_str_eq(rule_in("/tmp/delta-1/chroma")->name, "delta");
    cr_expect_str_eq(rule_in("/srv")->name, "srv");
    cr_expect_str_eq(rule_in("/srv/a/b/c")->name, "srv");
    cr_expect_str_eq(rule_in("/a/deep/x1")->name, "deep");
    cr_expect_str_empty(rule_in("/tmp")->name);
    cr_expect_str_empty(rule_in("/srv2")->name);
    cr_expect_str_empty(rule_in("/a/deep")->name);
    cr_expect_eq(rules_find(""), 0u, "a store that could not be located has no rule");
}

Test(rules, a_glob_of_directories_does_not_match_the_file)
{
    read_rules("/srv/*: name=below");
    cr_expect_eq(rules_find("/srv/app.db"), 0u);
    cr_expect_eq(rules_find("/srv/app/app.db"), 1u);
}

Test(rules, the_root_is_above_everything)
{
    read_rules("/: name=all");
    cr_expect_str_eq(rule_in("/a/b")->name, "all");
    cr_expect_str_eq(rule_in("")->name, "all");
}

Test(rules, the_first_that_matches_wins)
{
    read_rules("/srv/a: name=one; /srv: name=two; /srv/b: name=three");
    cr_expect_str_eq(rule_in("/srv/a")->name, "one");
    cr_expect_str_eq(rule_in("/srv/b")->name, "two");
}

Test(rules, the_last_colon_ends_the_glob)
{
    read_rules("/a:b: name=colon; /c:name=tight");
    cr_expect_eq(complaints, 0u, "%s", complaint);
    cr_expect_str_eq(rule_in("/a:b")->name, "colon");
    cr_expect_str_eq(rule_in("/c")->name, "tight");
}

Test(rules, links_in_a_glob_are_resolved, .init = dir_begin, .fini = dir_end)
{
    char text[2 * PATH_MAX];
    cr_assert_eq(mkdir(in_dir("real"), 0755), 0);
    cr_assert_eq(symlink("real", in_dir("link")), 0);
    snprintf(text, sizeof text, "%s/link/d-*: name=linked", unit_dir);
    read_rules(text);
    cr_expect_str_eq(rule_in(in_dir("real/d-1"))->name, "linked");
}

Test(rules, what_is_wrong_is_one_complaint_that_names_it_and_the_other_rules_hold)
{
    static const struct {
        const char *rule, *value, *expected;
        bool ignored; /* the rule as a whole */
    } cases[] = {
        {"/x", "rule '/x': ", "expected a directory or glob, a colon and options", true},
        {"x: max_wait=1", "'x': ", "expected an absolute directory or glob", true},
        {"./x/*: max_wait=1", "'./x/*': ", "expected an absolute directory or glob", true},
        {": max_wait=1", "'': ", "expected an absolute directory or glob", true},
        {"/x:", "rule '/x:': ", "expected options behind the colon", false},
        {"/x: ", "rule '/x:': ", "expected options behind the colon", false},
        {"/x: max_wait", "'max_wait': ", "expected an option and its value", false},
        {"/x: max_wait=", "max_wait='': ", "expected seconds such as 2.0 or 500ms", false},
        {"/x: max_wait=soon", "max_wait='soon': ", "seconds such as 2.0 or 500ms", false},
        {"/x: max_wait=1,", "max_wait='1,': ", "seconds such as 2.0 or 500ms", false},
        {"/x: check_interval=-1", "check_interval='-1': ", "seconds such as 2.0", false},
        {"/x: until=never", "until='never': ", "expected unlocked", false},
        {"/x: trigger=first", "trigger='first': ", "expected last, every or use", false},
        {"/x: name=", "name='': ", "expected a name of 1 to 63 bytes without blanks", false},
        {"/x: name=a\x1b[1m", "name='a?[1m': ", "expected a name of 1 to 63", false},
        {"/x: maxwait=1", "maxwait='1': ", "expected max_wait, check_interval, until, trigger or n",
         false},
        {"/x: =1", "='1': ", "no such option", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "/first: max_wait=3; %s; /last: max_wait=4", cases[i].rule);
        read_rules(text);
        cr_expect_eq(complaints, 1u, "%s: %s", cases[i].rule, complaint);
        cr_expect_eq(strncmp(complaint, "SETTLE_RULES, rule '", 20), 0, "%s", complaint);
        cr_expect_not_null(strstr(complaint, cases[i].value), "%s", complaint);
        cr_expect_not_null(strstr(complaint, cases[i].expected), "%s", complaint);
        cr_expect_null(strchr(complaint, '\n'));
        cr_expect_eq(rule_in("/first")->max_wait, 3000u * MS);
        cr_expect_eq(rule_in("/last")->max_wait, 4000u * MS);
        cr_expect_eq(rules_find("/x/file"), cases[i].ignored ? 0u : 2u, "%s", cases[i].rule);
        cr_expect_eq(rule_in("/x")->max_wait, 2000u * MS, "the settings' value holds");
        cr_expect_eq(rule_in("/x")->check_interval, 50u * MS);
    }
}

Test(rules, a_long_option_is_cut_in_the_complaint_and_leaves_room_for_what_is_right)
{
    char text[1024] = "/x: ";
    memset(text + 4, 'o', 900);
    strcpy(text + 904, "=1");
    read_rules(text);
    cr_expect_eq(complaints, 1u);
    cr_expect_not_null(strstr(complaint, "expected max_wait, check_interval, until, trigger or n"),
                       "%s", complaint);
}

Test(rules, the_other_options_of_a_rule_with_a_bad_one_hold)
{
    read_rules("/x: max_wait=soon name=kept");
    cr_expect_eq(complaints, 1u);
    cr_expect_str_eq(rule_in("/x")->name, "kept");
}

/* "/d0: name=n0; /d1: name=n1; ..." */
static char *many_rules(unsigned count)
{
    char *text = calloc(count, 32);
    cr_assert_not_null(text);
    for (unsigned i = 0; i < count; i++)
        sprintf(text + strlen(text), "/d%u: name=n%u;", i, i);
    return text;
}

Test(rules, as_many_as_there_is_room_for_hold_and_more_are_one_complaint)
{
    char *text = many_rules(RULES_MOST);
    read_rules(text);
    cr_expect_eq(complaints, 0u, "%s", complaint);
    cr_expect_str_eq(rule_in("/d31")->name, "n31");
    free(text);

    text = many_rules(RULES_MOST + 2);
    read_rules(text);
    cr_expect_eq(complaints, 1u);
    cr_expect_not_null(strstr(complaint, "rule '/d32: name=n32': expected 32 rules at most"), "%s",
                       complaint);
    cr_expect_str_eq(rule_in("/d31")->name, "n31");
    cr_expect_eq(rules_find("/d32/x"), 0u);
    free(text);
}

Test(rules, text_globs_and_names_that_are_too_long_are_refused)
{
    static char text[20000];
    snprintf(text, sizeof text, "/x: name=%063d", 0);
    read_rules(text);
    cr_expect_eq(complaints, 0u, "%s", complaint);
    snprintf(text, sizeof text, "/x: name=%064d", 0);
    read_rules(text);
    cr_expect_eq(complaints, 1u);
    cr_expect_str_empty(rule_in("/x")->name);

    snprintf(text, sizeof text, "/%05000d: name=x", 0);
    read_rules(text);
    cr_expect_eq(complaints, 1u);
    cr_expect_not_null(strstr(complaint, "less than 4096 bytes"), "%s", complaint);

    snprintf(text, sizeof text, "/x: name=x; /%016384d:", 0);
    read_rules(text);
    cr_expect_eq(complaints, 1u);
    cr_expect_str_eq(complaint, "SETTLE_RULES: expected less than 16 KiB in all; it is ignored");
    cr_expect_eq(rules_find("/x/x"), 0u);
}

Test(rules, the_longest_wait_is_that_of_any_rule_or_of_the_settings)
{
    read_rules("/a: max_wait=1");
    cr_expect_eq(rules_longest_wait(), 2000u * MS);
    read_rules("/a: max_wait=1; /b: max_wait=5; /c: max_wait=3");
    cr_expect_eq(rules_longest_wait(), 5000ull * MS);
}
