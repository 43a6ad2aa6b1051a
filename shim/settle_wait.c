/* settle-wait: waits for stores or files from outside. */
#include "settings.h"
#include "sys.h"
#include "wait.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

/* The first look at the paths is silent: what there is to say comes with the second. */
static bool telling;

static void __attribute__((format(printf, 1, 2))) tell(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    if (telling)
        vfprintf(stderr, format, list);
    va_end(list);
}

/* A directory is a store by the primary in it. Returns false, having said why, if there is none. */
static bool locate(const char *path, struct wait_request *request)
{
    struct stat st;
    char primary[PATH_MAX];
    request->profile = NULL;
    if (stat(path, &st) < 0) {
        tell("settle-wait: %s: %s\n", path, strerror(errno));
        return false;
    }
    if (!S_ISDIR(st.st_mode)) {
        if (realpath(path, request->path) == NULL) {
            tell("settle-wait: %s: %s\n", path, strerror(errno));
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
    tell("settle-wait: %s: no store is recognised in this directory; expected", path);
    for (int i = 0; i < profile_count; i++)
        if (profiles[i].primary != NULL)
            tell(" %s (%s)", profiles[i].primary, profiles[i].name);
    tell(" in it, or the path of a database file\n");
    return false;
}

static void name_holder(const struct wait_result *result)
{
    char buffer[256];
    struct text t = text_in(buffer, sizeof buffer);
    text_str(&t, "still locked after ");
    text_seconds(&t, result->elapsed);
    text_str(&t, ", held by ");
    probe_describe_holder(&t, &result->holder);
    tell("settle-wait: %s: %s\n", result->file, buffer);
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
        tell("settle-wait: %s: %s\n", result.file,
             result.error == EINVAL ? "not a regular file" : strerror(result.error));
        return STATUS_UNEXAMINED;
    default:
        return STATUS_SETTLED;
    }
}

static enum status wait_paths(char *const *paths, struct wait_request *request)
{
    enum status worst = STATUS_SETTLED;
    for (; *paths != NULL; paths++) {
        enum status one = wait_path(*paths, request);
        if (one > worst)
            worst = one;
    }
    return worst;
}

/* A process that has set an inotify watch takes 5 to 24 ms to end (watch.c). So a child does the
 * waiting and passes its answer on, and ends when it ends, with nothing of ours open any more. */
static enum status wait_in_child(char *const *paths, struct wait_request *request)
{
    int answer[2];
    unsigned char status = STATUS_UNEXAMINED;
    pid_t child = pipe(answer) < 0 ? -1 : fork();
    if (child < 0)
        return wait_paths(paths, request);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        status = (unsigned char)wait_paths(paths, request);
        close(0);
        close(1);
        close(2);
        _exit(write(answer[1], &status, 1) == 1 ? 0 : 1);
    }
    close(answer[1]);
    ssize_t got;
    while ((got = read(answer[0], &status, 1)) < 0 && errno == EINTR)
        ;
    if (got != 1)
        complain("the process that did the waiting was ended from outside");
    return (enum status)status;
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

    request.max_collections = settings.max_collections;
    request.max_files = settings.max_files;
    request.check_interval = settings.check_interval;
    request.began = sys_now();
    request.deadline = request.began; /* one look at each, without a wait */
    if (wait_paths(argv + optind, &request) == STATUS_SETTLED)
        return STATUS_SETTLED;
    telling = true;
    request.deadline = request.began + settings.max_wait;
    request.name_holder = true;
    return (int)wait_in_child(argv + optind, &request);
}
