/* settle-wait: waits for stores or files from outside. */
#include "checkpoint.h"
#include "report.h"
#include "settings.h"
#include "sys.h"
#include "target.h"
#include "vigil.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: settle-wait [options] PATH...\n"
    "Waits until stores or files are settled, or until the time is up.\n"
    "PATH is a ChromaDB persist directory, an SQLite database, or any file.\n"
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
    "  --json              print one JSON object on standard output, and no sentences\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 settled, or no holder to list; 1 still held (the holders on standard\n"
    "error, one a line), or listed; 2 wrong usage; 3 a path cannot be examined.\n"
    "\n"
    "JSON: status (settled, held, unexamined), elapsed (s), and for each of paths: path,\n"
    "status, reason (if unexamined), file (the one that decides), until, elapsed, frames (of\n"
    "the -wal that are not in the database; -1: unknown), folded (now they are), remote (only\n"
    "this host's opens are seen), complete (all holders are listed), holders: pid (0:\n"
    "unknown), command, kind, file, and where they apply lock (SQLite's name), exclusive,\n"
    "start and end (the bytes; no end: to that of the file), fd, writes, inner_pid (in its\n"
    "own pid namespace), where (another pid namespace, another host).\n"
    "\n"
    "  settle-wait ./chroma && cp -r ./chroma /backup/\n"
    "  settle-wait --max-wait 500ms app.db || echo busy\n"
    "  settle-wait --list ./chroma\n"
    "  settle-wait --checkpoint app.db && cp app.db /backup/\n";

enum { MAX_WAIT = 256, CHECK_INTERVAL, UNTIL, LIST, CHECKPOINT, JSON, HELP, VERSION };

static const struct option options[] = {
    {"max-wait", required_argument, NULL, MAX_WAIT},
    {"check-interval", required_argument, NULL, CHECK_INTERVAL},
    {"until", required_argument, NULL, UNTIL},
    {"list", no_argument, NULL, LIST},
    {"checkpoint", no_argument, NULL, CHECKPOINT},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0},
};

/* What the options ask for. */
struct job {
    struct settings settings;
    bool level_given;
    bool list;
    bool checkpoint;
    bool json;
};

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
static bool take(struct job *job, const char *variable, int index)
{
    option_name = options[index].name;
    return settings_take(&job->settings, variable, optarg, complain_of_option);
}

/* Returns whether to go on; otherwise *status is how to end. */
static bool read_options(struct job *job, int argc, char **argv, enum status *status)
{
    int option;
    int index = 0;
    bool good = true;
    *status = STATUS_USAGE;
    while (good && (option = getopt_long(argc, argv, "", options, &index)) != -1) {
        switch (option) {
        case MAX_WAIT:
            good = take(job, "SETTLE_MAX_WAIT", index);
            break;
        case CHECK_INTERVAL:
            good = take(job, "SETTLE_CHECK_INTERVAL", index);
            break;
        case UNTIL:
            job->level_given = true;
            good = take(job, "SETTLE_UNTIL", index);
            break;
        case LIST:
            job->list = true;
            break;
        case CHECKPOINT:
            job->checkpoint = true;
            break;
        case JSON:
            job->json = true;
            break;
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
    if (good && optind == argc) {
        complain("no path given; see settle-wait --help");
        good = false;
    }
    if (good && job->list && job->checkpoint) {
        complain("--list only looks, and --checkpoint writes: expected one of them");
        good = false;
    }
    if (job->checkpoint || (job->list && !job->level_given))
        job->settings.until = UNTIL_CLOSED;
    return good;
}

static bool load_sqlite(void)
{
    char buffer[512];
    struct text why = text_in(buffer, sizeof buffer);
    if (checkpoint_load(&why))
        return true;
    fprintf(stderr, "settle-wait: --checkpoint needs libsqlite3: %s\n", buffer);
    return false;
}

/* One look at each; true if that says all. */
static bool look(const struct job *job, struct target *targets, unsigned n, uint64_t began)
{
    bool all = true;
    for (unsigned i = 0; i < n; i++) {
        if (!targets[i].located)
            continue;
        target_wait(&targets[i], &job->settings, began, began);
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

static void finish(const struct job *job, struct target *t)
{
    if (!t->located)
        return;
    target_count_frames(t);
    if (job->checkpoint)
        target_checkpoint(t);
    if (job->list)
        list_holders(t);
    else if (t->status == STATUS_HELD)
        target_name_holders(t);
}

static enum status worst_of(const struct target *targets, unsigned n)
{
    enum status worst = STATUS_SETTLED;
    for (unsigned i = 0; i < n; i++)
        if (targets[i].status > worst)
            worst = targets[i].status;
    return worst;
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
        report_json(targets, n, status, elapsed);
        return;
    }
    if (job->list)
        report_table(targets, n);
    for (unsigned i = 0; i < n && !job->list; i++)
        report_sentences(&targets[i]);
    say_remote(targets, n);
}

int main(int argc, char **argv)
{
    static struct job job;
    enum status status;
    settings_set_defaults(&job.settings);
    if (!read_options(&job, argc, argv, &status))
        return (int)status;
    if (job.checkpoint && !load_sqlite())
        return STATUS_UNEXAMINED;

    const uint64_t began = sys_now();
    const unsigned n = (unsigned)(argc - optind);
    struct target *targets = targets_new(n);
    if (targets == NULL) {
        complain("no memory");
        return STATUS_UNEXAMINED;
    }
    for (unsigned i = 0; i < n; i++)
        target_locate(&targets[i], argv[optind + (int)i]);

    sigset_t lease_breaks; /* probe.h */
    sigemptyset(&lease_breaks);
    sigaddset(&lease_breaks, SIGIO);
    sigprocmask(SIG_BLOCK, &lease_breaks, NULL);
    if (!look(&job, targets, n, began) && !job.list)
        vigil(targets, n, &job.settings, began, began + job.settings.max_wait);
    for (unsigned i = 0; i < n; i++)
        finish(&job, &targets[i]);
    status = worst_of(targets, n);
    report(&job, targets, n, status, sys_now() - began);
    return (int)status;
}
