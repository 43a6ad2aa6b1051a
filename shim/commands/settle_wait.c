/* settle-wait: waits for stores or files from outside. */
#include "base/clock.h"
#include "base/sys.h"
#include "commands/attend.h"
#include "commands/copy.h"
#include "commands/copy_source.h"
#include "commands/print.h"
#include "commands/target.h"
#include "config/rules.h"
#include "config/settings.h"

#include <getopt.h>
#include <settle.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "Usage: settle-wait [options] PATH...\n"
    "Waits until stores or files are settled, or until the time is up.\n"
    "PATH is a ChromaDB persist directory, an SQLite database, a store of another kind\n"
    "(settle --help, --stores), or any file.\n"
    "\n"
    "  --max-wait S        wait at most S seconds, for all paths together (default 2.0;\n"
    "                      500ms works)\n"
    "  --check-interval S  the longest sleep between two looks (default 0.05)\n"
    "  --until LEVEL       unlocked (default): an exclusive lock would be granted to\n"
    "                      somebody else; unwritten: and nobody has it open for writing;\n"
    "                      closed: and nobody has it open at all\n"
    "  --list              do not wait, print the holders as a table: who keeps PATH from\n"
    "                      being closed, or from the LEVEL of --until\n"
    "  --checkpoint        when it is closed, let SQLite fold what is in the -wal only into\n"
    "                      the main file (needs libsqlite3)\n"
    "  --copy TO           copy the stores to TO, which must not be there yet: a directory's to\n"
    "                      a directory, a database's to a file, of several PATHs into a\n"
    "                      directory. SQLite (needs libsqlite3), or their engine's lock, keeps\n"
    "                      writers out meanwhile; readers go on. TO is there whole or not at all\n"
    "  --max-hold S        with --copy, keep writers out for at most S seconds (default 2.0)\n"
    "  --environment       take what the variables of the library say, too: SETTLE_RULES, and\n"
    "                      where the option is not given SETTLE_MAX_WAIT,\n"
    "                      SETTLE_CHECK_INTERVAL, SETTLE_UNTIL. A rule stands before both:\n"
    "                      each store has the time and the level of its own\n"
    "  --json              print one JSON object on standard output, and no sentences\n"
    "  -h, --help, --version\n"
    "\n"
    "Exit status: 0 settled, copied, or no holder to list; 1 still held (the holders on standard\n"
    "error, one a line), not copied within the time, or listed; 2 wrong usage; 3 a path cannot be\n"
    "examined, or copied.\n"
    "\n"
    "JSON: status (settled, held, unexamined), elapsed (s), and for each of paths: path,\n"
    "status, reason (if unexamined or not copied), file (the one that decides), rule (the name, if "
    "there is\n"
    "one), until, elapsed, frames (of the -wal that are not in the database; -1: unknown),\n"
    "hot_journal (a crash cut a transaction off that is not rolled back), folded (now they\n"
    "are, and it is), copy (where it is), bytes, by (reflink, copy_file_range, write: how they\n"
    "were copied), hold (s for which writers were kept out), remote (only this host's opens are "
    "seen), complete (all holders are\n"
    "listed), holders: pid (0: unknown), command, kind, file, and where they apply lock\n"
    "(SQLite's name), exclusive, start and end (the bytes; no end: to that of the file), fd,\n"
    "writes, inner_pid (in its own pid namespace), where (another pid namespace, another\n"
    "host).\n"
    "\n"
    "  settle-wait ./chroma && cp -r ./chroma /backup/\n"
    "  settle-wait --max-wait 500ms app.db || echo busy\n"
    "  settle-wait --list ./chroma\n"
    "  settle-wait --copy /backup/chroma ./chroma\n"
    "  settle-wait --checkpoint app.db && cp app.db /backup/\n";

enum {
    NO_OPTION,
    MAX_WAIT = 256,
    CHECK_INTERVAL,
    UNTIL,
    LIST,
    CHECKPOINT,
    COPY,
    MAX_HOLD,
    ENVIRONMENT,
    JSON,
    HELP,
    VERSION
};

static const struct option options[] = {
    {"max-wait", required_argument, NULL, MAX_WAIT},
    {"check-interval", required_argument, NULL, CHECK_INTERVAL},
    {"until", required_argument, NULL, UNTIL},
    {"list", no_argument, NULL, LIST},
    {"checkpoint", no_argument, NULL, CHECKPOINT},
    {"copy", required_argument, NULL, COPY},
    {"max-hold", required_argument, NULL, MAX_HOLD},
    {"environment", no_argument, NULL, ENVIRONMENT},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0},
};

/* The settings of the library that are settle-wait's too, and their options. */
static const struct row {
    const char *variable;
    int option;
} rows[] = {
    {"SETTLE_MAX_WAIT", MAX_WAIT},   {"SETTLE_CHECK_INTERVAL", CHECK_INTERVAL},
    {"SETTLE_UNTIL", UNTIL},         {"SETTLE_MAX_COLLECTIONS", NO_OPTION},
    {"SETTLE_MAX_FILES", NO_OPTION},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* What the options ask for. */
struct job {
    struct settings settings;
    bool given[ROWS]; /* by an option */
    bool level_fixed; /* no rule changes it */
    bool list;
    bool checkpoint;
    struct copy_request copy;
    bool hold_given;
    bool environment;
    bool json;
};

/* Below the time for which programs usually let SQLite wait for a lock: 5 s. */
static const uint64_t default_max_hold = 2000000000u;

static void complain(const char *message)
{
    fprintf(stderr, "settle-wait: %s\n", message);
}

/* The option's name stands in for the variable's: "--max-wait='soon': expected ..." */
static const char *option_name;
static void complain_of_option(const char *message)
{
    const char *rest = strchr(message, '=');
    const char *end = strstr(message, "; the default");
    int length = end == NULL ? (int)strlen(rest) : (int)(end - rest);
    fprintf(stderr, "settle-wait: --%s%.*s\n", option_name, length, rest);
}

/* An option's value is taken by its variable's row in the table of settings. */
static bool take(struct job *job, int option, int index)
{
    option_name = options[index].name;
    for (int i = 0; i < ROWS; i++)
        if (rows[i].option == option) {
            job->given[i] = true;
            return settings_take(&job->settings, rows[i].variable, optarg, complain_of_option);
        }
    return false;
}

/* It is a duration as the longest wait is. */
static bool take_max_hold(struct job *job, int index)
{
    static struct settings s;
    option_name = options[index].name;
    if (!settings_take(&s, "SETTLE_MAX_WAIT", optarg, complain_of_option))
        return false;
    job->copy.max_hold = s.max_wait;
    job->hold_given = true;
    return true;
}

static bool is_given(const struct job *job, int option)
{
    for (int i = 0; i < ROWS; i++)
        if (rows[i].option == option)
            return job->given[i];
    return false;
}

/* A bad value leaves the default, as in the library. */
static void read_environment(struct job *job)
{
    for (int i = 0; i < ROWS; i++) {
        const char *value = settings_variable(environ, rows[i].variable);
        if (value != NULL && !job->given[i])
            settings_take(&job->settings, rows[i].variable, value, complain);
    }
}

/* What no option says alone. */
static bool agree(const struct job *job, bool has_path)
{
    const char *message = NULL;
    if (!has_path)
        message = "no path given; see settle-wait --help";
    else if (job->list && job->checkpoint)
        message = "--list only looks, and --checkpoint writes: expected one of them";
    else if (job->list && job->copy.to != NULL)
        message = "--list only looks, and --copy writes: expected one of them";
    else if (job->copy.to != NULL && job->copy.to[0] == '\0')
        message = "--copy='': expected the name that the copy is to have";
    else if (job->copy.to == NULL && job->hold_given)
        message = "--max-hold is how long --copy keeps writers out: expected both";
    if (message != NULL)
        complain(message);
    return message == NULL;
}

/* Returns whether to go on; otherwise *status is how to end. */
static bool read_options(struct job *job, int argc, char **argv, enum status *status)
{
    int option;
    int index = 0;
    bool good = true;
    *status = STATUS_USAGE;
    while (good && (option = getopt_long(argc, argv, "h", options, &index)) != -1) {
        switch (option) {
        case MAX_WAIT:
        case CHECK_INTERVAL:
        case UNTIL:
            good = take(job, option, index);
            break;
        case LIST:
            job->list = true;
            break;
        case CHECKPOINT:
            job->checkpoint = true;
            break;
        case COPY:
            job->copy.to = optarg;
            break;
        case MAX_HOLD:
            good = take_max_hold(job, index);
            break;
        case ENVIRONMENT:
            job->environment = true;
            break;
        case JSON:
            job->json = true;
            break;
        case 'h':
        case HELP:
            fputs(usage, stdout);
            *status = STATUS_SETTLED;
            return false;
        case VERSION:
            puts("settle-wait " SETTLE_VERSION);
            *status = STATUS_SETTLED;
            return false;
        default:
            complain("see settle-wait --help");
            good = false;
        }
    }
    return good && agree(job, optind < argc);
}

/* What waits obey: the options, the variables, the rules. */
static void complete_settings(struct job *job)
{
    if (job->environment)
        read_environment(job);
    job->level_fixed = job->checkpoint || job->list;
    if (job->checkpoint || (job->list && !is_given(job, UNTIL)))
        job->settings.until = UNTIL_CLOSED;
    rules_read(job->environment ? settings_variable(environ, "SETTLE_RULES") : NULL, &job->settings,
               complain);
}

static void locate(const struct job *job, struct target *t, const char *path, uint64_t began)
{
    target_locate(t, path);
    target_obey(t, &job->settings, rules_get(rules_find(t->request.path)), began);
    if (job->level_fixed)
        t->request.until = (enum until)job->settings.until;
    if (job->copy.to != NULL && t->request.until == UNTIL_UNLOCKED && !is_given(job, UNTIL))
        t->waits = t->located && !copy_source_is_sqlite(t);
}

/* One look at each; true if that says all. */
static bool look(struct target *targets, unsigned n, uint64_t began)
{
    bool all = true;
    for (unsigned i = 0; i < n; i++) {
        if (!targets[i].waits)
            continue;
        target_wait(&targets[i], began);
        all &= targets[i].status == STATUS_SETTLED;
    }
    return all;
}

static void list_holders(struct target *t)
{
    target_name_holders(t);
    if (t->holders.count > 0)
        t->status = STATUS_HELD;
}

static enum status worst_of(const struct target *targets, unsigned n)
{
    enum status worst = STATUS_SETTLED;
    for (unsigned i = 0; i < n; i++)
        if (targets[i].status > worst)
            worst = targets[i].status;
    return worst;
}

/* What comes after the wait. */
static void finish(const struct job *job, struct target *targets, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (targets[i].located)
            target_look_beside(&targets[i]);
        if (targets[i].located && job->checkpoint)
            target_checkpoint(&targets[i]);
    }
    if (job->copy.to != NULL && worst_of(targets, n) == STATUS_SETTLED)
        copy_stores(targets, n, &job->copy);
    for (unsigned i = 0; i < n; i++) {
        if (targets[i].located && job->list)
            list_holders(&targets[i]);
        else if (targets[i].status == STATUS_HELD && targets[i].reason[0] == '\0')
            target_name_holders(&targets[i]);
    }
}

/* Where the file lies on another host, that is said once. */
static void say_remote(const struct target *targets, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (targets[i].result.remote && targets[i].request.until != UNTIL_UNLOCKED) {
            fprintf(stderr,
                    "settle-wait: %s: on a file system of another host, where only this host's "
                    "opens are seen\n",
                    targets[i].given);
            return;
        }
}

static void report(const struct job *job, const struct target *targets, unsigned n,
                   enum status status, uint64_t elapsed)
{
    if (job->json) {
        print_json(targets, n, status, elapsed);
        return;
    }
    if (job->list)
        print_table(targets, n);
    for (unsigned i = 0; i < n && !job->list; i++)
        print_sentences(&targets[i]);
    say_remote(targets, n);
}

int main(int argc, char **argv)
{
    static struct job job;
    enum status status;
    settings_set_defaults(&job.settings);
    job.copy.max_hold = default_max_hold;
    if (!read_options(&job, argc, argv, &status))
        return (int)status;
    complete_settings(&job);

    const uint64_t began = clock_now();
    const unsigned n = (unsigned)(argc - optind);
    struct target *targets = targets_new(n);
    if (targets == NULL) {
        complain("no memory");
        return STATUS_UNEXAMINED;
    }
    for (unsigned i = 0; i < n; i++)
        locate(&job, &targets[i], argv[optind + (int)i], began);

    sigset_t lease_breaks; /* probe.h */
    sigemptyset(&lease_breaks);
    sigaddset(&lease_breaks, SIGIO);
    sigprocmask(SIG_BLOCK, &lease_breaks, NULL);
    if (!look(targets, n, began) && !job.list)
        attend(targets, n);
    finish(&job, targets, n);
    status = worst_of(targets, n);
    report(&job, targets, n, status, clock_now() - began);
    return (int)status;
}
