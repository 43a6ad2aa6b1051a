/* settle-run: runs a command as a child, and when it has ended waits for the stores it used, also
 * where it was killed and closed nothing. For `settle --after` and for a container's entrypoint.
 *
 *   settle-run [--path PATH]... SETTLE-WAIT [OPTION...] -- COMMAND [ARGUMENT...]
 *   settle-run --help | --version
 *
 * SETTLE-WAIT is the path of that program, OPTION what it gets. The library names the stores in a
 * file (SETTLE_USED), each path with a NUL behind it; a PATH is waited for whoever used it.
 * SETTLE_PRELOAD, if set, is the command's LD_PRELOAD, so that neither this program nor settle-wait
 * has the library. Signals are passed on to the command, orphans are reaped where this is a
 * container's first process, and the end is that of the command: its exit status, or its signal. */
#include "base/path.h"
#include "base/text.h"
#include "config/summary.h"
#include "wait/locate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <settle.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAILED = 125, NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

static const char usage[] = "usage: settle-run [--path PATH]... SETTLE-WAIT [OPTION...] -- COMMAND "
                            "[ARGUMENT...], see 'settle --help', --after\n";

static void complain(const char *what, const char *why)
{
    fprintf(stderr, "settle-run: %s: %s\n", what, why);
}

/* --- the list of stores --- */

static char list_path[PATH_MAX];

static bool make_list_in(const char *directory)
{
    if (directory == NULL || directory[0] != '/')
        return false;
    int fd = path_join(list_path, sizeof list_path, directory, "settle-used-XXXXXX")
                 ? mkostemp(list_path, O_CLOEXEC)
                 : -1;
    if (fd < 0)
        return false;
    /* The program may give its privileges up before it opens a store. */
    if (geteuid() == 0)
        fchmod(fd, 0622);
    close(fd);
    return true;
}

/* Says so and goes on where there is no place for a file: the command matters more. */
static void make_list(void)
{
    const char *const directories[] = {getenv("TMPDIR"), "/tmp", "/dev/shm", "/run"};
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
        if (make_list_in(directories[i])) {
            setenv("SETTLE_USED", list_path, 1);
            return;
        }
    complain("no writable directory (TMPDIR, /tmp, /dev/shm, /run)",
             "the stores that the command uses are not waited for");
    list_path[0] = '\0';
}

static char *read_list(size_t *size)
{
    FILE *file = list_path[0] == '\0' ? NULL : fopen(list_path, "re");
    char *list = NULL;
    size_t room = 0;
    *size = 0;
    while (file != NULL) {
        if (*size == room) {
            char *more = realloc(list, (room = room == 0 ? 4096 : 2 * room) + 1);
            if (more == NULL)
                break;
            list = more;
        }
        size_t got = fread(list + *size, 1, room - *size, file);
        if (got == 0)
            break;
        *size += got;
    }
    if (file != NULL)
        fclose(file);
    if (list != NULL)
        list[*size] = '\0';
    return list;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct used {
    char *list;
    char **stores; /* into the list: those that are still there, each once */
    size_t count;
    unsigned processes; /* that have told what they did, */
    struct summary *summary;
};

/* With room for `more` of them. */
static struct used stores_used(size_t more)
{
    size_t size;
    size_t all = 0;
    struct used used = {.list = read_list(&size), .summary = calloc(1, sizeof *used.summary)};
    used.stores = calloc(size + more + 1, sizeof *used.stores);
    if (used.list == NULL || used.stores == NULL || used.summary == NULL)
        return used;
    for (char *at = used.list; at < used.list + size; at += strlen(at) + 1)
        if (summary_add(used.summary, at))
            used.processes++;
        else
            used.stores[all++] = at;
    qsort(used.stores, all, sizeof *used.stores, by_name);
    for (size_t i = 0; i < all; i++)
        if ((used.count == 0 || strcmp(used.stores[i], used.stores[used.count - 1]) != 0) &&
            access(used.stores[i], F_OK) == 0)
            used.stores[used.count++] = used.stores[i];
    return used;
}

/* --- stores by name --- */

struct by_name {
    char *const *words; /* "--path", the first path, "--path", the next one */
    size_t count;
};

static char *named_path(const struct by_name *named, size_t i)
{
    return named->words[2 * i + 1];
}

static bool is_seen(const char *primary, const struct used *used)
{
    struct stat one;
    struct stat other;
    if (stat(primary, &one) < 0)
        return false;
    for (size_t i = 0; i < used->count; i++)
        if (stat(used->stores[i], &other) == 0 && one.st_dev == other.st_dev &&
            one.st_ino == other.st_ino)
            return true;
    return false;
}

/* Where it is a store, its primary. */
static bool locate(const char *path, char *primary)
{
    const struct profile *profile;
    int error = locate_store(path, primary, &profile);
    if (error == ENOTDIR)
        error = locate_file_of_store(path, primary, &profile);
    return error == 0;
}

/* Puts those that the library has not told of behind the used ones, which has room for them, and
 * says which they are: without their names they would not have been waited for. What is no store
 * settle-wait refuses. */
static void add_named(struct used *used, const struct by_name *named)
{
    static char names[8 * PATH_MAX];
    static char primary[PATH_MAX];
    struct text t = text_in(names, sizeof names);
    const char *log = getenv("SETTLE_LOG");
    size_t count = used->count;
    for (size_t i = 0; i < named->count; i++) {
        char *path = named_path(named, i);
        bool located = locate(path, primary);
        if (located && is_seen(primary, used))
            continue;
        used->stores[count++] = path;
        if (located) {
            text_str(&t, t.length == 0 ? "" : ", ");
            text_path(&t, primary);
        }
    }
    used->count = count;
    if (t.length > 0 && (log == NULL || strcmp(log, "off") != 0))
        fprintf(stderr, "settle: not seen by the library, so waited for by name: %s\n", names);
}

/* --- the command --- */

static sigset_t mask_at_start;
static struct sigaction chld_at_start;

static _Noreturn void become(char *const *command)
{
    sigaction(SIGCHLD, &chld_at_start, NULL);
    sigprocmask(SIG_SETMASK, &mask_at_start, NULL);
    execvp(command[0], command);
    complain(command[0], strerror(errno));
    _exit(errno == ENOENT || errno == ENOTDIR ? NOT_FOUND : NOT_EXECUTABLE);
}

static _Noreturn void become_command(char *const *command)
{
    const char *preload = getenv("SETTLE_PRELOAD");
    if (preload != NULL)
        setenv("LD_PRELOAD", preload, 1);
    unsetenv("SETTLE_PRELOAD");
    become(command);
}

/* A key on the terminal has gone to the command as well: such signals come from the kernel. */
static void pass_on(pid_t child, const siginfo_t *signal)
{
    if (signal->si_code != SI_KERNEL)
        kill(child, signal->si_signo);
}

/* Reaps whoever has ended; true, with its status, once the child has. A child that is stopped from
 * the terminal stops this process too, or the shell would wait for both. */
static bool has_ended(pid_t child, int *status)
{
    int one;
    pid_t pid;
    while ((pid = waitpid(-1, &one, WNOHANG | WUNTRACED)) > 0) {
        if (pid != child)
            continue;
        if (WIFSTOPPED(one)) {
            raise(SIGSTOP);
            continue;
        }
        *status = one;
        return true;
    }
    return false;
}

static int attend(pid_t child)
{
    sigset_t all;
    siginfo_t signal;
    int status = 0;
    sigfillset(&all);
    while (!has_ended(child, &status)) {
        if (sigwaitinfo(&all, &signal) < 0)
            continue;
        if (signal.si_signo != SIGCHLD)
            pass_on(child, &signal);
    }
    return status;
}

/* --- the wait --- */

/* What all processes together have done, where that is asked for. */
static void tell_summary(const struct used *used)
{
    static char words[4 * PATH_MAX];
    struct text t = text_in(words, sizeof words);
    const char *wanted = getenv("SETTLE_SUMMARY");
    const char *stores = getenv("SETTLE_STORES");
    const char *dirs = getenv("SETTLE_DIRS");
    if (wanted == NULL || strcmp(wanted, "on") != 0 || used->summary == NULL)
        return;
    if (used->processes == 0) {
        fputs("settle: summary: no process has told what it did: all were killed, ended by _exit, "
              "or were not under the library\n",
              stderr);
        return;
    }
    summary_words(&t, used->summary, stores == NULL ? "chroma" : stores, dirs == NULL ? "" : dirs);
    fprintf(stderr, "settle: summary of %u process%s: %s\n", used->processes,
            used->processes == 1 ? "" : "es", words);
}

static void wait_for_stores(char **wait_command, size_t words, const struct by_name *named)
{
    struct used used = stores_used(named->count);
    tell_summary(&used);
    if (used.stores != NULL)
        add_named(&used, named);
    char **command = used.stores == NULL || used.count == 0
                         ? NULL
                         : calloc(words + used.count + 2, sizeof *command);
    if (command != NULL) {
        memcpy(command, wait_command, words * sizeof *command);
        command[words] = (char[]){"--"};
        memcpy(command + words + 1, used.stores, used.count * sizeof *used.stores);
        unsetenv("SETTLE_USED");
        pid_t child = fork();
        if (child == 0)
            become(command);
        if (child > 0)
            attend(child);
        else
            complain(wait_command[0], strerror(errno));
    }
    free(command);
    free(used.summary);
    free(used.stores);
    free(used.list);
}

/* The same end as the command's. A container's first process cannot be ended by its own signal. */
static int end_as(int status)
{
    if (!WIFSIGNALED(status))
        return WEXITSTATUS(status);
    const struct rlimit none = {0, 0};
    int number = WTERMSIG(status);
    sigset_t one;
    setrlimit(RLIMIT_CORE, &none); /* the command has left its core file */
    signal(number, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    return 128 + number;
}

int main(int argc, char **argv)
{
    struct by_name named = {.words = argv + 1};
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("settle-run " SETTLE_VERSION) < 0 ? FAILED : 0;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return fputs(usage, stdout) < 0 ? FAILED : 0;
    int wait_at = 1;
    for (; wait_at + 1 < argc && strcmp(argv[wait_at], "--path") == 0; wait_at += 2)
        named.count++;
    int dashes = wait_at;
    while (dashes < argc && strcmp(argv[dashes], "--") != 0)
        dashes++;
    if (dashes == wait_at || dashes + 1 >= argc) {
        fputs(usage, stderr);
        return FAILED;
    }

    sigset_t all;
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &mask_at_start);
    sigaction(SIGCHLD, &by_default, &chld_at_start); /* ignored, children leave no status */

    make_list();
    pid_t child = fork();
    if (child == 0)
        become_command(argv + dashes + 1);
    if (child < 0) {
        complain(argv[dashes + 1], strerror(errno));
        unlink(list_path);
        return FAILED;
    }
    int status = attend(child);
    wait_for_stores(argv + wait_at, (size_t)(dashes - wait_at), &named);
    unlink(list_path);
    return end_as(status);
}
