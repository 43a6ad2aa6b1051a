#include "commands/wait_options.h"

#include "config/rules.h"

#include <getopt.h>
#include <settle.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "Usage: settle-wait [options] PATH...\n"
    "Waits until stores or files are settled, or until the time is up.\n"
    "PATH is a ChromaDB persist directory, an SQLite database, a store of another\n"
    "kind (settle --help, --stores), or any file.\n"
    "\n"
    "  --max-wait S        wait at most S seconds, for all paths together (default\n"
    "                      2.0; 500ms works)\n"
    "  --check-interval S  the longest sleep between two looks (default 0.05)\n"
    "  --until LEVEL       unlocked (default): an exclusive lock would be granted to\n"
    "                      somebody else; unwritten: and nobody has it open for\n"
    "                      writing; closed: and nobody has it open at all\n"
    "  --list              do not wait, print the holders as a table: who keeps PATH\n"
    "                      from being closed, or from the LEVEL of --until\n"
    "  --checkpoint        when it is closed, let SQLite fold what is in the -wal\n"
    "                      only into the main file (needs libsqlite3)\n"
    "  --copy TO           copy the stores to TO, which must not be there yet: a\n"
    "                      directory's to a directory, a database's to a file, of\n"
    "                      several PATHs into a directory. SQLite (needs libsqlite3),\n"
    "                      or their engine's lock, keeps writers out meanwhile;\n"
    "                      readers go on. TO is there whole or not at all\n"
    "  --max-hold S        with --copy, keep writers out for at most S seconds\n"
    "                      (default 2.0)\n"
    "  --environment       take what the variables of the library say, too:\n"
    "                      SETTLE_RULES, and where the option is not given\n"
    "                      SETTLE_MAX_WAIT, SETTLE_CHECK_INTERVAL, SETTLE_UNTIL. A\n"
    "                      rule stands before both: each store has the time and the\n"
    "                      level of its own\n"
    "  --json              print one JSON object on standard output, and no sentences\n"
    "  -h, --help, --version\n"
    "\n"
    "Exit status: 0 settled, copied, or no holder to list; 1 still held (the holders\n"
    "on standard error, one a line), not copied within the time, or listed; 2 wrong\n"
    "usage; 3 a path cannot be examined, or copied.\n"
    "\n"
    "JSON: status (settled, held, unexamined), elapsed (s), and for each of paths:\n"
    "path, status, reason (if unexamined or not copied), file (the one that decides),\n"
    "rule (the name, if there is one), until, elapsed, frames (of the -wal that are\n"
    "not in the database; -1: unknown), hot_journal (a crash cut a transaction off\n"
    "that is not rolled back), folded (now they are, and it is), copy (where it is),\n"
    "bytes, by (reflink, copy_file_range, write: how they were copied), hold (s for\n"
    "which writers were kept out), remote (only this host's opens are seen), complete\n"
    "(all holders are listed), holders: pid (0: unknown), command, kind, file, and\n"
    "where they apply lock (SQLite's name), exclusive, start and end (the bytes; no\n"
    "end: to that of the file), fd, writes, inner_pid (in its own pid namespace),\n"
    "where (another pid namespace, another host).\n"
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
static bool given[ROWS]; /* by an option */
static bool hold_given;

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
static bool take(struct wait_options *o, int option, int index)
{
    option_name = options[index].name;
    for (int i = 0; i < ROWS; i++)
        if (rows[i].option == option) {
            given[i] = true;
            return settings_take(&o->settings, rows[i].variable, optarg, complain_of_option);
        }
    return false;
}

/* It is a duration as the longest wait is. */
static bool take_max_hold(struct wait_options *o, int index)
{
    static struct settings s;
    option_name = options[index].name;
    if (!settings_take(&s, "SETTLE_MAX_WAIT", optarg, complain_of_option))
        return false;
    o->copy.max_hold = s.max_wait;
    hold_given = true;
    return true;
}

/* A bad value leaves the default, as in the library. */
static void read_environment(struct wait_options *o)
{
    for (int i = 0; i < ROWS; i++) {
        const char *value = settings_variable(environ, rows[i].variable);
        if (value != NULL && !given[i])
            settings_take(&o->settings, rows[i].variable, value, complain);
    }
}

/* The next option as getopt_long says it; one whose value is missing is refused as with an empty
 * one. */
static int next_option(int argc, char **argv, int *index)
{
    int option = getopt_long(argc, argv, ":h", options, index);
    if (option != ':')
        return option;
    for (*index = 0; options[*index].val != optopt;)
        ++*index;
    static char empty[] = "";
    optarg = empty;
    return optopt;
}

/* What getopt_long refuses. */
static void refuse(const char *word)
{
    if (optopt >= MAX_WAIT)
        fprintf(stderr, "settle-wait: '%s': expected no value\n", word);
    else if (optopt != 0)
        fprintf(stderr, "settle-wait: unknown option '-%c'; see settle-wait --help\n", optopt);
    else
        fprintf(stderr, "settle-wait: unknown option '%s'; see settle-wait --help\n", word);
}

/* What no option says alone. */
static bool agree(const struct wait_options *o, char *const *paths)
{
    const char *message = NULL;
    bool has_empty = false;
    for (char *const *path = paths; *path != NULL; path++)
        has_empty |= (*path)[0] == '\0';
    if (o->copy.to != NULL && o->copy.to[0] == '\0')
        message = "--copy='': expected the name that the copy is to have";
    else if (*paths == NULL)
        message = "no path given; see settle-wait --help";
    else if (has_empty)
        message = "'': expected a path";
    else if (o->list && o->checkpoint)
        message = "--list only looks, and --checkpoint writes: expected one of them";
    else if (o->list && o->copy.to != NULL)
        message = "--list only looks, and --copy writes: expected one of them";
    else if (o->copy.to == NULL && hold_given)
        message = "--max-hold is how long --copy keeps writers out: expected both";
    if (message != NULL)
        complain(message);
    return message == NULL;
}

/* Returns whether to go on; otherwise *status is how to end. */
static bool read_all(struct wait_options *o, int argc, char **argv, enum status *status)
{
    int option;
    int index = 0;
    bool good = true;
    *status = STATUS_USAGE;
    opterr = 0;
    while (good && (option = next_option(argc, argv, &index)) != -1) {
        switch (option) {
        case MAX_WAIT:
        case CHECK_INTERVAL:
        case UNTIL:
            o->until_given |= option == UNTIL;
            good = take(o, option, index);
            break;
        case LIST:
            o->list = true;
            break;
        case CHECKPOINT:
            o->checkpoint = true;
            break;
        case COPY:
            o->copy.to = optarg;
            break;
        case MAX_HOLD:
            good = take_max_hold(o, index);
            break;
        case ENVIRONMENT:
            o->environment = true;
            break;
        case JSON:
            o->json = true;
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
            refuse(argv[optind - 1]);
            good = false;
        }
    }
    return good && agree(o, argv + optind);
}

/* What waits obey: the options, the variables, the rules. */
static void complete(struct wait_options *o)
{
    if (o->environment)
        read_environment(o);
    o->level_fixed = o->checkpoint || o->list;
    if (o->checkpoint || (o->list && !o->until_given))
        o->settings.until = UNTIL_CLOSED;
    rules_read(o->environment ? settings_variable(environ, "SETTLE_RULES") : NULL, &o->settings,
               complain);
}

int wait_options_read(struct wait_options *o, int argc, char **argv, enum status *status)
{
    settings_set_defaults(&o->settings);
    o->copy.max_hold = default_max_hold;
    if (!read_all(o, argc, argv, status))
        return 0;
    complete(o);
    return optind;
}
