/* SETTLE_RULES and SETTLE_TOTAL_WAIT on real programs. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(rules, .init = world_begin, .fini = world_end, .timeout = 120);

static const uint64_t soon = 250 * (uint64_t)MS; /* room for a busy machine */

/* A directory beside the world's, with an empty store in it; the path of the store's main file,
 * valid until in_dir's fourth next call. */
static const char *a_store_in(const char *directory)
{
    char text[PATH_MAX + 16];
    snprintf(text, sizeof text, "../%s", directory);
    const char *path = in_dir(text);
    snprintf(text, sizeof text, "mkdir -p '%s'", path);
    cr_assert_eq(system(text), 0);
    snprintf(text, sizeof text, "../%s/chroma.sqlite3", directory);
    const char *primary = in_dir(text);
    int fd = open(primary, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    cr_assert_geq(fd, 0);
    close(fd);
    return primary;
}

/* A rule for a directory beside the world's; valid until the eighth next call. */
static const char *rule_for(const char *glob, const char *options)
{
    static char rules[8][PATH_MAX];
    static unsigned next;
    char top[PATH_MAX];
    char *rule = rules[next++ % 8];
    snprintf(top, sizeof top, "%s", world.dir);
    *strrchr(top, '/') = '\0';
    cr_assert_lt(snprintf(rule, PATH_MAX, "%s/%s: %s", top, glob, options), PATH_MAX);
    return rule;
}

static struct step open_and_close(struct process *p, const char *path)
{
    cr_assert_geq(say(p, "open a -", path).result, 0);
    return step(p, "close a");
}

static unsigned log_lines(const char *what, const char *rule)
{
    char command[PATH_MAX + 256];
    snprintf(command, sizeof command, "exit $(grep '%s' '%s' | grep -c ' rule=%s$')", what,
             world.log, rule);
    return (unsigned)WEXITSTATUS(system(command));
}

/* --- the service that the idea comes from --- */

/* Where it closes a client, and how long it then waits at most. */
static const struct call_site {
    const char *collection;
    unsigned max_wait; /* ms */
} call_sites[] = {
    {"chunk_processing", 2000},         {"delta_download", 1000},
    {"intermediate_merge_chunk", 1000}, {"intermediate_merge_main", 2000},
    {"final_merge_chunk", 1000},        {"final_merge_main", 2000},
};
enum { CALL_SITES = sizeof call_sites / sizeof call_sites[0] };

struct closed {
    uint64_t took;
    uint64_t at;
};

static struct closed read_closed(struct process *p)
{
    char line[128];
    unsigned long long took = 0;
    unsigned long long at = 0;
    cr_assert(read_line(p, line, sizeof line), "%s", errors_of(p));
    cr_assert_eq(sscanf(line, "closed %llu %llu", &took, &at), 2, "%s", line);
    return (struct closed){took, at};
}

static struct process start_service(const char *const *options, const char *const *stores,
                                    unsigned count)
{
    static char directories[CALL_SITES][PATH_MAX];
    const char *command[CALL_SITES + 3] = {"/usr/bin/python3", "tests/e2e/programs/service.py"};
    for (unsigned i = 0; i < count; i++) {
        snprintf(directories[i], PATH_MAX, "%s", stores[i]);
        *strrchr(directories[i], '/') = '\0';
        command[2 + i] = directories[i];
    }
    struct process p = spawn_shimmed(options, command);
    await_line(&p, "open");
    return p;
}

/* Each call site has a store in a directory and a rule of its own. All close at the same time, with
 * a holder on each store, which lets go after ms. */
static void run_call_sites(unsigned ms, struct process *holders, struct closed *closed)
{
    static char primaries[CALL_SITES][PATH_MAX];
    const char *stores[CALL_SITES];
    static char rules[CALL_SITES * PATH_MAX];
    for (int i = 0; i < CALL_SITES; i++) {
        char how[96];
        snprintf(primaries[i], PATH_MAX, "%s", a_store_in(call_sites[i].collection));
        stores[i] = primaries[i];
        snprintf(how, sizeof how, "max_wait=%ums name=%s", call_sites[i].max_wait,
                 call_sites[i].collection);
        strcat(strcat(rules, rule_for(call_sites[i].collection, how)), ";\n");
    }
    setenv("SETTLE_RULES", rules, 1);
    struct process p = start_service(OPTIONS(NULL), stores, CALL_SITES);
    unsetenv("SETTLE_RULES");
    for (int i = 0; i < CALL_SITES; i++)
        holders[i] = hold("posix", stores[i], ms);
    send_line(&p, "close");
    for (int i = 0; i < CALL_SITES; i++)
        closed[i] = read_closed(&p);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_waits(), CALL_SITES);
}

Test(rules, at_each_call_site_a_close_takes_its_own_max_wait_where_nobody_lets_go)
{
    struct process holders[CALL_SITES];
    struct closed closed[CALL_SITES];
    run_call_sites(30000, holders, closed);
    for (int i = 0; i < CALL_SITES; i++) {
        uint64_t max_wait = call_sites[i].max_wait * (uint64_t)MS;
        cr_expect_geq(closed[i].took, max_wait, "%s", call_sites[i].collection);
        cr_expect_lt(closed[i].took, max_wait + soon, "%s", call_sites[i].collection);
        cr_expect_eq(log_lines("still locked after", call_sites[i].collection), 1, "%s",
                     call_sites[i].collection);
        kill_now(&holders[i]);
    }
}

Test(rules, at_each_call_site_a_close_returns_when_the_holder_lets_go)
{
    struct process holders[CALL_SITES];
    struct closed closed[CALL_SITES];
    run_call_sites(500, holders, closed);
    for (int i = 0; i < CALL_SITES; i++) {
        uint64_t released = released_at(&holders[i]);
        cr_expect_geq(closed[i].at, released, "%s", call_sites[i].collection);
        cr_expect_lt(closed[i].at, released + PROMPTLY, "%s", call_sites[i].collection);
        cr_expect_eq(log_lines("File unlocked after polling", call_sites[i].collection), 1, "%s",
                     call_sites[i].collection);
    }
}

/* --- which rule --- */

Test(rules, the_first_rule_that_matches_a_directory_above_the_store_holds)
{
    const char *deep = a_store_in("delta-1/chroma");
    const char *other = a_store_in("omega-1");
    struct process p = SHIMMED_WITH(OPTIONS("--rule", rule_for("delta-*", "name=delta"), "--rule",
                                            rule_for("delta-1/chroma", "name=later")),
                                    "build/programs/stepper");
    open_and_close(&p, deep);
    cr_expect_eq(log_lines("unlocked at once", "delta"), 1);
    open_and_close(&p, other);
    cr_expect_eq(log_waits(), 2);
    cr_expect_eq(log_count("rule="), 1, "a store without a rule has no name");
    cr_expect_eq(finish(&p), 0);
}

Test(rules, links_lead_to_the_same_rule)
{
    const char *real = a_store_in("real");
    cr_assert_eq(symlink("real", in_dir("../link")), 0);
    struct process p =
        SHIMMED_WITH(OPTIONS("--rule", rule_for("link", "name=linked")), "build/programs/stepper");
    open_and_close(&p, real);
    open_and_close(&p, in_dir("../link/chroma.sqlite3"));
    cr_expect_eq(log_lines("unlocked at once", "linked"), 2);
    cr_expect_eq(finish(&p), 0);
}

Test(rules, the_rule_is_that_of_the_directory_where_the_store_was_opened)
{
    const char *primary = a_store_in("named");
    struct process p =
        SHIMMED_WITH(OPTIONS("--rule", rule_for("named", "name=named")), "build/programs/stepper");
    say(&p, "open a -", primary);
    cr_assert_eq(say(&p, "rename - -", in_dir("../named")).result, 0);
    step(&p, "close a");
    cr_expect_eq(log_lines("named.moved/chroma.sqlite3", "named"), 1);
    cr_expect_eq(finish(&p), 0);
}

Test(rules, a_rule_has_a_trigger_of_its_own)
{
    const char *pooled = a_store_in("pooled");
    struct process p = SHIMMED_WITH(OPTIONS("--rule", rule_for("pooled", "trigger=every")),
                                    "build/programs/stepper");
    say(&p, "open a -", world.primary);
    say(&p, "open b -", world.primary);
    step(&p, "close a");
    cr_expect_eq(log_waits(), 0);
    step(&p, "close b");
    cr_expect_eq(log_waits(), 1);
    say(&p, "open a -", pooled);
    say(&p, "open b -", pooled);
    step(&p, "close a");
    cr_expect_eq(log_waits(), 2);
    step(&p, "close b");
    cr_expect_eq(log_waits(), 3);
    cr_expect_eq(finish(&p), 0);
}

Test(rules, a_rule_has_a_level_of_its_own)
{
    const char *closed = a_store_in("closed");
    struct process p = SHIMMED_WITH(
        OPTIONS("--max-wait", "5", "--rule", rule_for("closed", "until=closed name=closed")),
        "build/programs/stepper");
    cr_assert_geq(say(&p, "open a -", closed).result, 0);
    cr_assert_geq(say(&p, "open b -", world.primary).result, 0);
    struct process other = hold("open", world.primary, 30000);
    struct process holder = hold("open", closed, 500);
    step(&p, "close a");
    cr_expect_geq(now_ns(), released_at(&holder));
    cr_expect_eq(log_lines("File unlocked after polling", "closed"), 1);
    step(&p, "close b");
    cr_expect_eq(log_count("unlocked at once"), 1, "who has the other open is no matter");
    cr_expect_eq(finish(&p), 0);
    kill_now(&other);
}

/* Of one wait that times out. */
static unsigned probes_of(const char *directory)
{
    char command[2 * PATH_MAX];
    char line[32] = "";
    snprintf(command, sizeof command,
             "sed -n 's|.*/%s/.*still locked.* probes=\\([0-9]*\\).*|\\1|p' '%s'", directory,
             world.log);
    FILE *out = popen(command, "r");
    cr_assert_not_null(out);
    if (fgets(line, sizeof line, out) == NULL)
        line[0] = '\0';
    pclose(out);
    return (unsigned)atoi(line);
}

Test(rules, a_rule_has_a_check_interval_of_its_own)
{
    const char *often = a_store_in("often");
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "800ms", "--check-interval", "50ms",
                                            "--rule", rule_for("often", "check_interval=1ms")),
                                    "build/programs/stepper");
    struct process holders[] = {hold("posix", often, 30000), hold("posix", world.primary, 30000)};
    open_and_close(&p, often);
    open_and_close(&p, world.primary);
    cr_expect_gt(probes_of("store"), 0);
    cr_expect_gt(probes_of("often"), 2 * probes_of("store"));
    cr_expect_eq(finish(&p), 0);
    kill_now(&holders[0]);
    kill_now(&holders[1]);
}

Test(rules, a_bad_rule_is_named_and_the_others_hold)
{
    char rules[2 * PATH_MAX];
    const char *good = a_store_in("good");
    snprintf(rules, sizeof rules, "store/*: max_wait=1; %s; /x: max_wait=soon",
             rule_for("good", "name=good"));
    setenv("SETTLE_RULES", rules, 1);
    struct process p = SHIMMED("build/programs/stepper");
    unsetenv("SETTLE_RULES");
    open_and_close(&p, good);
    cr_expect_eq(log_count("warning: "), 2);
    cr_expect(log_has("warning: SETTLE_RULES, rule 'store/*: max_wait=1': 'store/*': expected an "
                      "absolute directory or glob"));
    cr_expect(log_has("warning: SETTLE_RULES, rule '/x: max_wait=soon': max_wait='soon': expected "
                      "seconds"));
    cr_expect_eq(log_lines("unlocked at once", "good"), 1);
    cr_expect_eq(finish(&p), 0);
}

Test(rules, the_exit_waits_for_a_close_with_a_rule_that_waits_longer_than_others)
{
    const char *primary = a_store_in("slow");
    struct process p =
        SHIMMED_WITH(OPTIONS("--max-wait", "200ms", "--rule", rule_for("slow", "max_wait=10")),
                     "build/programs/threads", "exit-closing", primary, "40");
    await_line(&p, "open");
    struct process holder = hold("posix", primary, 800);
    send_line(&p, "go");
    cr_expect_eq(finish(&p), 7);
    cr_expect_geq(now_ns(), released_at(&holder));
}

Test(rules, a_rule_is_named_in_the_record)
{
    char record[PATH_MAX];
    const char *primary = a_store_in("recorded");
    snprintf(record, sizeof record, "%s", in_dir("../record"));
    struct process p = SHIMMED_WITH(
        OPTIONS("--record", record, "--rule", rule_for("recorded", "max_wait=3 name=recorded")),
        "build/programs/stepper");
    open_and_close(&p, primary);
    open_and_close(&p, world.primary);
    cr_expect_eq(finish(&p), 0);
    p = PLAIN("/usr/bin/python3", "-c",
              "import json, sys\n"
              "events = map(json.loads, open(sys.argv[1]))\n"
              "print('waits', *[(e.get('rule'), e['max_wait']) for e in events "
              "if e['event'] == 'wait ended'])",
              record);
    await_line(&p, "waits ('recorded', 3.0) (None, 2.0)");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* --- settle --after, settle-wait --environment --- */

/* Opens the stores, lets go of nothing, and ends. */
#define ENDING                                                                                     \
    "/usr/bin/python3", "-c",                                                                      \
        "import os, sys\n"                                                                         \
        "for path in sys.argv[1:]:\n"                                                              \
        "    os.open(path, os.O_RDWR)\n"                                                           \
        "os._exit(3)\n"

static double seconds_behind(const char *text, const char *word)
{
    const char *at = strstr(text, word);
    return at == NULL ? -1 : strtod(at + strlen(word), NULL);
}

/* The one with more time comes first. */
Test(rules, after_the_command_each_store_is_waited_for_as_its_own_rule_says)
{
    char patient[PATH_MAX];
    snprintf(patient, sizeof patient, "%s", a_store_in("a-patient"));
    const char *hasty = a_store_in("b-hasty");
    struct process holders[] = {hold("posix", patient, 30000), hold("posix", hasty, 30000)};
    struct process p = PLAIN("scripts/settle", "--after", "--max-wait", "20", "--rule",
                             rule_for("a-*", "max_wait=1.5 name=patient"), "--rule",
                             rule_for("b-*", "max_wait=300ms name=hasty"), ENDING, patient, hasty);
    cr_expect_eq(finish(&p), 3);
    const char *errors = errors_of(&p);
    double seconds = seconds_behind(errors, "a-patient/chroma.sqlite3: still locked after ");
    cr_expect(seconds >= 1.5 && seconds < 2.5, "%s", errors);
    seconds = seconds_behind(errors, "b-hasty/chroma.sqlite3: still locked after ");
    cr_expect(seconds >= 0.3 && seconds < 1.3, "%s", errors);
    cr_expect_not_null(strstr(errors, "(holder) rule=patient\n"), "%s", errors);
    cr_expect_not_null(strstr(errors, "(holder) rule=hasty\n"), "%s", errors);
    kill_now(&holders[0]);
    kill_now(&holders[1]);
}

Test(rules, after_the_command_the_level_is_that_of_the_rule)
{
    const char *closed = a_store_in("closed");
    const char *other = a_store_in("other");
    const char *rule = rule_for("closed", "until=closed");
    struct process other_holder = hold("open", other, 30000);
    struct process holder = hold("open", closed, 1000);
    struct process p = PLAIN("scripts/settle", "--after", "--max-wait", "20", "--rule", rule,
                             ENDING, closed, other);
    cr_expect_eq(finish(&p), 3);
    cr_expect_str_eq(errors_of(&p), "");
    uint64_t ended = now_ns();
    uint64_t released = released_at(&holder);
    cr_expect_geq(ended, released);
    cr_expect_lt(ended, released + 2000 * (uint64_t)MS, "the other store was waited for too");
    kill_now(&other_holder);
}

/* Runs settle-wait with rules and other variables in its environment. */
#define SETTLE_WAIT(rules, ...)                                                                    \
    PLAIN("env", "SETTLE_MAX_WAIT=300ms", "SETTLE_UNTIL=closed", rules, "build/settle-wait",       \
          __VA_ARGS__)

static double time_of_wait(struct process p, int status)
{
    uint64_t began = now_ns();
    cr_expect_eq(finish(&p), status, "%s", errors_of(&p));
    return (double)(now_ns() - began) / 1e9;
}

Test(rules, a_wait_from_outside_obeys_variables_on_request_where_no_option_says_otherwise)
{
    struct process holder = hold("open", world.primary, 30000);
    time_of_wait(SETTLE_WAIT("SETTLE_RULES=", world.dir), 0);
    double seconds = time_of_wait(SETTLE_WAIT("SETTLE_RULES=", "--environment", world.dir), 1);
    cr_expect(seconds >= 0.25 && seconds < 1.5, "%g", seconds); /* since it was started */
    time_of_wait(SETTLE_WAIT("SETTLE_RULES=", "--until", "unlocked", "--environment", world.dir),
                 0);
    seconds = time_of_wait(
        SETTLE_WAIT("SETTLE_RULES=", "--environment", "--max-wait", "1.6", world.dir), 1);
    cr_expect_geq(seconds, 1.5);
    kill_now(&holder);
}

Test(rules, a_wait_from_outside_obeys_rules_before_variables_and_options)
{
    char rules[2 * PATH_MAX];
    snprintf(rules, sizeof rules, "SETTLE_RULES=%s",
             rule_for("store", "max_wait=1 until=unwritten name=of_the_store"));
    struct process holder = hold("open", world.primary, 30000);
    time_of_wait(SETTLE_WAIT(rules, "--environment", "--until", "closed", world.dir), 0);
    kill_now(&holder);
    holder = hold("writing", world.primary, 30000);
    double seconds =
        time_of_wait(SETTLE_WAIT(rules, "--environment", "--max-wait", "20", world.dir), 1);
    cr_expect(seconds >= 1 && seconds < 10, "%g", seconds);
    struct process p = SETTLE_WAIT(rules, "--environment", "--json", world.dir);
    char line[PATH_MAX];
    cr_assert(read_line(&p, line, sizeof line));
    cr_expect_not_null(strstr(line, "\"rule\":\"of_the_store\""), "%s", line);
    cr_expect_eq(finish(&p), 1);
    kill_now(&holder);
}

Test(rules, a_list_and_a_checkpoint_ask_for_a_level_of_their_own)
{
    char rules[2 * PATH_MAX];
    snprintf(rules, sizeof rules, "SETTLE_RULES=%s", rule_for("store", "until=unlocked"));
    struct process holder = hold("open", world.primary, 30000);
    time_of_wait(SETTLE_WAIT(rules, "--environment", "--checkpoint", world.dir), 1);
    time_of_wait(SETTLE_WAIT(rules, "--environment", "--list", world.dir), 1);
    time_of_wait(SETTLE_WAIT(rules, "--environment", "--list", "--until", "unlocked", world.dir),
                 0);
    kill_now(&holder);
}

Test(rules, a_bad_value_in_the_environment_of_a_wait_from_outside_is_named_and_the_default_holds)
{
    struct process holder = hold("posix", world.primary, 500);
    struct process p = PLAIN("env", "SETTLE_MAX_WAIT=soon", "SETTLE_RULES=store: max_wait=1",
                             "scripts/settle", "--after", "--log", "off", ENDING, world.primary);
    cr_expect_eq(finish(&p), 3);
    cr_expect_geq(now_ns(), released_at(&holder));
    const char *errors = errors_of(&p);
    cr_expect_not_null(strstr(errors, "settle-wait: SETTLE_MAX_WAIT='soon': expected seconds"),
                       "%s", errors);
    cr_expect_not_null(strstr(errors, "settle-wait: SETTLE_RULES, rule 'store: max_wait=1': "),
                       "%s", errors);
}

/* --- zombies --- */

/* Until another thread finalises what keeps a closed connection open. */
static int wait_for_zombie(const char *const *options, const char *primary)
{
    int ms = -1;
    char line[64];
    struct process p = spawn_shimmed(
        options, (const char *const[]){"build/programs/zombie", "never", primary, "0", NULL});
    await_line(&p, "open");
    send_line(&p, "close");
    cr_assert(read_line(&p, line, sizeof line), "%s", errors_of(&p));
    cr_assert_eq(sscanf(line, "closed 0 %d", &ms), 1, "%s", line);
    send_line(&p, "end");
    cr_expect_eq(finish(&p), 0);
    return ms;
}

Test(rules, the_wait_for_a_zombie_obeys_its_rule)
{
    const char *primary = a_store_in("zombie");
    int ms = wait_for_zombie(
        OPTIONS("--max-wait", "5", "--rule", rule_for("zombie", "max_wait=300ms")), primary);
    cr_expect_geq(ms, 299);
    cr_expect_lt(ms, 2000);
}

/* --- the budget --- */

#define SPENT "of SETTLE_TOTAL_WAIT are spent: closes no longer wait"

Test(rules, once_the_budget_is_spent_closes_no_longer_wait_and_that_is_said_once)
{
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "400ms", "--total-wait", "600ms"),
                                    "build/programs/stepper");
    struct process holder = hold("posix", world.primary, 30000);
    uint64_t first = open_and_close(&p, world.primary).took;
    cr_expect_geq(first, 400 * (uint64_t)MS);
    cr_expect(!log_has(SPENT));
    uint64_t second = open_and_close(&p, world.primary).took;
    cr_expect_geq(second, 200 * (uint64_t)MS - (first - 400 * (uint64_t)MS));
    cr_expect_lt(second, 200 * (uint64_t)MS + soon);
    cr_expect(log_has("warning: the 0.600 s " SPENT));
    for (int i = 0; i < 3; i++)
        cr_expect_lt(open_and_close(&p, world.primary).took, soon);
    cr_expect_eq(log_count(SPENT), 1);
    cr_expect_eq(log_count("still locked after"), 2);
    cr_expect_eq(log_count("debug: "), 1 + 5 + 3, "the version, five opens, three closes");
    cr_expect_eq(log_count("not waited for, since SETTLE_TOTAL_WAIT is spent"), 3);
    cr_expect_eq(finish(&p), 0);
    kill_now(&holder);
}

/* Whatever one has to do with the other, it is spent to its end, and that is said. */
Test(rules, a_budget_of_any_number_of_waits_is_spent_and_said_to_be_once)
{
    static const struct {
        const char *max_wait, *total_wait;
        unsigned timed_out;
    } cases[] = {{"200ms", "200ms", 1}, {"100ms", "300ms", 3}, {"200ms", "500ms", 4}};
    struct process holder = hold("posix", world.primary, 30000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct process p = SHIMMED_WITH(
            OPTIONS("--max-wait", cases[i].max_wait, "--total-wait", cases[i].total_wait),
            "build/programs/stepper");
        for (int j = 0; j < 10; j++)
            open_and_close(&p, world.primary);
        cr_expect_eq(finish(&p), 0);
        cr_expect_eq(log_count(SPENT), 1, "%s of %s", cases[i].max_wait, cases[i].total_wait);
        cr_expect_leq(log_count("still locked after"), cases[i].timed_out, "%s of %s",
                      cases[i].max_wait, cases[i].total_wait);
        unlink(world.log);
    }
    kill_now(&holder);
}

Test(rules, closes_that_find_their_store_free_take_nothing_of_the_budget)
{
    struct process p = SHIMMED_WITH(OPTIONS("--total-wait", "1ms"), "build/programs/stepper");
    say(&p, "thousand a -", world.primary);
    cr_expect_eq(log_count("unlocked at once"), 1000);
    cr_expect(!log_has(SPENT));
    cr_expect_eq(finish(&p), 0);
}

Test(rules, closes_at_the_same_time_never_take_more_than_the_budget_together)
{
    char first[PATH_MAX];
    snprintf(first, sizeof first, "%s", a_store_in("first"));
    const char *stores[] = {first, a_store_in("second")};
    struct process p = start_service(
        OPTIONS("--max-wait", "800ms", "--total-wait", "1", "--at-exit", "off"), stores, 2);
    struct process holders[] = {hold("posix", stores[0], 30000), hold("posix", stores[1], 30000)};
    send_line(&p, "close");
    uint64_t a = read_closed(&p).took;
    uint64_t b = read_closed(&p).took;
    cr_expect_geq(a + b, 1000 * (uint64_t)MS);
    cr_expect_lt(a + b, 1000 * (uint64_t)MS + soon);
    cr_expect_geq(a > b ? a : b, 800 * (uint64_t)MS);
    cr_expect_eq(log_count(SPENT), 1);
    cr_expect_eq(finish(&p), 0);
    kill_now(&holders[0]);
    kill_now(&holders[1]);
}

Test(rules, a_fork_child_has_the_whole_budget)
{
    struct process p = SHIMMED_WITH(OPTIONS("--total-wait", "300ms"), "build/programs/stepper");
    struct process holder = hold("posix", world.primary, 30000);
    open_and_close(&p, world.primary);
    cr_expect_eq(log_count(SPENT), 1);
    struct step child = say(&p, "childopens - -", world.primary);
    cr_expect_eq(child.result, 0);
    cr_expect_geq(child.took, 300 * (uint64_t)MS);
    cr_expect_eq(log_count(SPENT), 2);
    cr_expect_lt(open_and_close(&p, world.primary).took, soon);
    cr_expect_eq(finish(&p), 0);
    kill_now(&holder);
}

Test(rules, a_budget_of_nothing_makes_neither_closes_nor_the_exit_wait)
{
    struct process p = SHIMMED_WITH(OPTIONS("--total-wait", "0", "--fallback-delay", "1"),
                                    "build/programs/threads", "exit-leaking", world.primary);
    await_line(&p, "open");
    uint64_t began = now_ns();
    send_line(&p, "go");
    cr_expect_eq(finish(&p), 7);
    cr_expect_lt(now_ns() - began, 500 * (uint64_t)MS, "the exit waited");

    p = SHIMMED_WITH(OPTIONS("--total-wait", "0"), "build/programs/stepper");
    struct process holder = hold("posix", world.primary, 30000);
    cr_expect_lt(open_and_close(&p, world.primary).took, soon);
    cr_expect_eq(log_count(SPENT), 1);
    cr_expect_eq(finish(&p), 0);
    kill_now(&holder);
}

Test(rules, fixed_delays_are_part_of_the_budget)
{
    struct process p =
        SHIMMED_WITH(OPTIONS("--fallback-delay", "1", "--total-wait", "200ms"), "strace", "-f",
                     "-o", "/dev/null", "-e", "trace=close_range", "-e",
                     "inject=close_range:error=ENOSYS", "build/programs/stepper");
    uint64_t first = open_and_close(&p, world.primary).took;
    cr_expect_geq(first, 200 * (uint64_t)MS);
    cr_expect_lt(first, 200 * (uint64_t)MS + soon);
    cr_expect_not_null(strstr(errors_of(&p), SPENT), "%s", errors_of(&p));
    cr_expect_lt(open_and_close(&p, world.primary).took, soon);
    cr_expect_eq(finish(&p), 0);
}

Test(rules, the_wait_for_a_zombie_is_part_of_the_budget)
{
    int ms = wait_for_zombie(OPTIONS("--max-wait", "5", "--total-wait", "300ms"), world.primary);
    cr_expect_geq(ms, 299);
    cr_expect_lt(ms, 2000);
    cr_expect_eq(log_count(SPENT), 1);
}
