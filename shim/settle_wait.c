/* settle-wait: waits for stores or files from outside. */
#include "settings.h"
#include "sys.h"
#include "wait.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status { STATUS_SETTLED = 0, STATUS_HELD = 1, STATUS_USAGE = 2, STATUS_UNEXAMINED = 3 };

static const char usage[] =
    "Usage: settle-wait [options] PATH...\n"
    "Waits until no process holds a lock on a store or file, or until the time is up.\n"
    "PATH is a ChromaDB persist directory, an SQLite database, or any file.\n"
    "\n"
    "  --max-wait S        wait at most S seconds, for all paths together (default 2.0; 500ms "
    "works)\n"
    "  --check-interval S  the longest sleep between two probes (default 0.05)\n"
    "  --until LEVEL       unlocked (default): an exclusive lock would be granted to somebody "
    "else\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 settled; 1 still held (the holders on standard error, one a line);\n"
    "2 wrong usage; 3 a path cannot be examined.\n"
    "\n"
    "  settle-wait ./chroma && cp -r ./chroma /backup/\n"
    "  settle-wait --max-wait 500ms app.db || echo busy\n";

/* What a long option sets: its value is taken by the variable's row in the table of settings. */
static const struct option options[] = {
    {"max-wait", required_argument, NULL, 'w'}, {"check-interval", required_argument, NULL, 'c'},
    {"until", required_argument, NULL, 'u'},    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},        {NULL, 0, NULL, 0},
};

static const char *variable_of(int option)
{
    switch (option) {
    case 'w':
        return "SETTLE_MAX_WAIT";
    case 'c':
        return "SETTLE_CHECK_INTERVAL";
    default:
        return "SETTLE_UNTIL";
    }
}

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

/* A directory is a store by the primary in it. Returns false, having said why, if there is none. */
static bool locate(const char *path, struct wait_request *request)
{
    struct stat st;
    char primary[PATH_MAX];
    request->profile = NULL;
    if (stat(path, &st) < 0) {
        fprintf(stderr, "settle-wait: %s: %s\n", path, strerror(errno));
        return false;
    }
    if (!S_ISDIR(st.st_mode)) {
        if (realpath(path, request->path) == NULL) {
            fprintf(stderr, "settle-wait: %s: %s\n", path, strerror(errno));
            return false;
        }
        return true;
    }
    for (int i = 0; i < profile_count; i++) {
        if (profiles[i].primary == NULL)
            continue;
        int length = snprintf(primary, sizeof primary, "%s/%s", path, profiles[i].primary);
        if (length < (int)sizeof primary && realpath(primary, request->path) != NULL) {
            request->profile = &profiles[i];
            return true;
        }
    }
    fprintf(stderr, "settle-wait: %s: no store is recognised in this directory; expected", path);
    for (int i = 0; i < profile_count; i++)
        if (profiles[i].primary != NULL)
            fprintf(stderr, " %s (%s)", profiles[i].primary, profiles[i].name);
    fprintf(stderr, " in it, or the path of a database file\n");
    return false;
}

static void name_holder(const struct wait_result *result)
{
    const struct holder *h = &result->holder;
    char elapsed[32];
    struct text t = text_in(elapsed, sizeof elapsed);
    text_seconds(&t, result->elapsed);
    fprintf(stderr, "settle-wait: %s: still locked after %s, held by %s", result->file, elapsed,
            hold_name(h->hold));
    if (h->pid > 0)
        fprintf(stderr, " of pid %d (%s)\n", h->pid,
                h->command[0] ? h->command : "command unknown");
    else
        fprintf(stderr, " of a process that cannot be named from here\n");
}

static enum status wait_path(const char *path, struct wait_request *request)
{
    static struct wait_result result;
    if (!locate(path, request))
        return STATUS_UNEXAMINED;
    wait_store(request, &result);
    switch (result.outcome) {
    case OUTCOME_TIMED_OUT:
        name_holder(&result);
        return STATUS_HELD;
    case OUTCOME_UNEXAMINED:
        fprintf(stderr, "settle-wait: %s: %s\n", result.file,
                result.error == EINVAL ? "not a regular file" : strerror(result.error));
        return STATUS_UNEXAMINED;
    default:
        return STATUS_SETTLED;
    }
}

int main(int argc, char **argv)
{
    static struct wait_request request;
    struct settings settings = settings_default();
    int option;
    int index;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        switch (option) {
        case 'h':
            fputs(usage, stdout);
            return STATUS_SETTLED;
        case 'V':
            puts("settle-wait " SETTLE_VERSION);
            return STATUS_SETTLED;
        case '?':
            complain("see settle-wait --help");
            return STATUS_USAGE;
        default:
            option_name = options[index].name;
            if (!settings_take(&settings, variable_of(option), optarg, complain_of_option))
                return STATUS_USAGE;
        }
    }
    if (optind == argc) {
        complain("no path given; see settle-wait --help");
        return STATUS_USAGE;
    }

    request.began = sys_now();
    request.deadline = request.began + settings.max_wait;
    request.check_interval = settings.check_interval;
    request.max_collections = settings.max_collections;
    request.max_files = settings.max_files;
    enum status status = STATUS_SETTLED;
    for (int i = optind; i < argc; i++) {
        enum status one = wait_path(argv[i], &request);
        if (one > status)
            status = one;
    }
    return status;
}
