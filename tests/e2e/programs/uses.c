/* uses DIR: a program in C that uses a store, DIR/chroma.sqlite3, by SQLite and by libc. Each line
 * on its input is a row of the table at the end, with an argument or without; it is answered with
 * the milliseconds that it took and what came of it: 0, the errno, or a word of its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *dir;
static char path[4096];
static char other[4096];
static char beside[4096]; /* the directory */
static sqlite3 *connection;

static long long now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static const char *outcome(bool is_done)
{
    static char number[16];
    snprintf(number, sizeof number, "%d", is_done ? 0 : errno);
    return number;
}

/* --- the engine --- */

static const char *open_by_sqlite(const char *journal)
{
    char statements[256];
    snprintf(statements, sizeof statements,
             "pragma journal_mode=%s; create table if not exists t(a); insert into t values (1)",
             journal);
    return outcome(sqlite3_open(path, &connection) == SQLITE_OK &&
                   sqlite3_exec(connection, statements, NULL, NULL, NULL) == SQLITE_OK);
}

static const char *close_by_sqlite(const char *unused)
{
    (void)unused;
    return outcome(sqlite3_close(connection) == SQLITE_OK);
}

/* --- lists --- */

static bool list(void)
{
    DIR *open = opendir(dir);
    return open != NULL && closedir(open) == 0;
}

static bool list_by_scandir(void)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    if (count >= 0)
        free(entries);
    return count >= 0;
}

static bool list_by_scandirat(void)
{
    struct dirent **entries;
    int top = open("/", O_RDONLY | O_DIRECTORY);
    int count = scandirat(top, dir + 1, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    if (count >= 0)
        free(entries);
    return close(top) == 0 && count >= 0;
}

static bool list_by_glob(void)
{
    glob_t found;
    char pattern[4200];
    snprintf(pattern, sizeof pattern, "%s/*", dir);
    int result = glob(pattern, 0, NULL, &found);
    globfree(&found);
    return result == 0;
}

static int visit(const char *name, const struct stat *st, int flag, struct FTW *where)
{
    (void)name, (void)st, (void)flag, (void)where;
    return 0;
}

static bool list_by_nftw(void)
{
    return nftw(dir, visit, 8, FTW_PHYS) == 0;
}

static const char *lists(const char *how)
{
    static const struct {
        const char *name;
        bool (*list)(void);
    } ways[] = {{"opendir", list},
                {"scandir", list_by_scandir},
                {"scandirat", list_by_scandirat},
                {"glob", list_by_glob},
                {"nftw", list_by_nftw}};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(how, ways[i].name) == 0)
            return outcome(ways[i].list());
    return "unknown";
}

/* --- opens --- */

static const char *opens_stream(const char *mode)
{
    FILE *stream = fopen(path, mode);
    return outcome(stream != NULL && fclose(stream) == 0);
}

static const char *reopens_stream(const char *mode)
{
    FILE *stream = fopen("/dev/null", "r");
    stream = freopen(path, mode, stream);
    return outcome(stream != NULL && fclose(stream) == 0);
}

static const char *creates(const char *unused)
{
    (void)unused;
    int fd = creat(path, 0644);
    return outcome(fd >= 0 && close(fd) == 0);
}

static const char *opens_directory(const char *unused)
{
    (void)unused;
    int fd = open(dir, O_RDONLY | O_DIRECTORY);
    return outcome(fd >= 0 && fsync(fd) == 0 && close(fd) == 0);
}

/* As an SQLite of before 3.31 does. */
static const char *makes_and_unlinks(const char *ending)
{
    char name[4200];
    snprintf(name, sizeof name, "%s%s", path, ending);
    int fd = open(name, O_RDWR | O_CREAT, 0644);
    return outcome(fd >= 0 && close(fd) == 0 && unlink(name) == 0);
}

/* --- names --- */

static const char *renames(const char *how)
{
    int at = open(dir, O_PATH | O_DIRECTORY);
    const char *from = "chroma.sqlite3";
    const char *to = "chroma.old";
    const char *result = "unknown";
    if (strcmp(how, "renameat") == 0)
        result = outcome(renameat(at, from, at, to) == 0);
    else if (strcmp(how, "renameat2") == 0)
        result = outcome(renameat2(at, from, at, to, RENAME_NOREPLACE) == 0);
    else if (strcmp(how, "over") == 0)
        result = outcome(rename(other, path) == 0);
    else if (strcmp(how, "exchange") == 0) /* the directory, as who puts a new one in its place */
        result = outcome(mkdir(beside, 0700) == 0 &&
                         renameat2(AT_FDCWD, beside, AT_FDCWD, dir, RENAME_EXCHANGE) == 0);
    else if (strcmp(how, "rename") == 0)
        result = outcome(rename(path, other) == 0);
    close(at);
    return result;
}

static const char *removes(const char *how)
{
    const char *result = "unknown";
    if (strcmp(how, "unlink") == 0)
        result = outcome(unlink(path) == 0);
    else if (strcmp(how, "remove") == 0)
        result = outcome(remove(path) == 0);
    else if (strcmp(how, "unlinkat") == 0)
        result = outcome(unlinkat(AT_FDCWD, path, 0) == 0);
    else if (strcmp(how, "rmdir") == 0) /* which fails */
        result = outcome(rmdir(dir) == 0);
    return result;
}

/* --- children --- */

static const char *executes(const char *how)
{
    static char script[] = "echo 0 replaced";
    static char shell[] = "sh";
    static char option[] = "-c";
    char *arguments[] = {shell, option, script, dir, NULL};
    if (strcmp(how, "execl") == 0)
        execl("/bin/sh", shell, option, script, dir, (char *)NULL);
    else if (strcmp(how, "execlp") == 0)
        execlp(shell, shell, option, script, dir, (char *)NULL);
    else if (strcmp(how, "execle") == 0)
        execle("/bin/sh", shell, option, script, dir, (char *)NULL, environ);
    else if (strcmp(how, "execv") == 0)
        execv("/bin/sh", arguments);
    else if (strcmp(how, "execvp") == 0)
        execvp(shell, arguments);
    else if (strcmp(how, "execve") == 0)
        execve("/bin/sh", arguments, environ);
    else if (strcmp(how, "execvpe") == 0)
        execvpe(shell, arguments, environ);
    else if (strcmp(how, "fexecve") == 0)
        fexecve(open("/bin/sh", O_RDONLY | O_CLOEXEC), arguments, environ);
    else if (strcmp(how, "execveat") == 0)
        execveat(AT_FDCWD, "/bin/sh", arguments, environ, 0);
    return outcome(false);
}

static const char *commands(const char *how)
{
    char command[4200];
    snprintf(command, sizeof command, "true %s", dir);
    if (strcmp(how, "system") == 0)
        return outcome(system(command) == 0);
    FILE *stream = popen(command, "r");
    return outcome(stream != NULL && pclose(stream) == 0);
}

/* What a child of vfork does before its exec: it shares this process's memory, and its thread
 * stands still. Its exit status: whether it has waited. */
static const char *in_vfork_child(const char *what)
{
    int status = -1;
    pid_t child = vfork();
    if (child == 0) {
        long long began = now_ms();
        if (strcmp(what, "list") == 0)
            list();
        else if (strcmp(what, "open") == 0)
            close(open(path, O_RDONLY));
        else if (strcmp(what, "unlink") == 0)
            unlink(path);
        else if (strcmp(what, "exec") == 0) {
            execl("/bin/true", "true", dir, (char *)NULL);
            _exit(9);
        }
        _exit(now_ms() - began > 100);
    }
    waitpid(child, &status, 0);
    return status == 0 ? "at once" : "not at once";
}

/* --- signal handlers --- */

static const char *in_handler;
static volatile sig_atomic_t took = -1;

static void handle(int number)
{
    int saved = errno;
    long long began = now_ms();
    (void)number;
    if (strcmp(in_handler, "list") == 0)
        list();
    else if (strcmp(in_handler, "open") == 0)
        close(open(path, O_RDONLY));
    else if (strcmp(in_handler, "unlink") == 0)
        unlink(other);
    took = (sig_atomic_t)(now_ms() - began);
    errno = saved;
}

/* A handler that uses the store in 100 ms, which is while the next line waits. */
static const char *has_handler(const char *what)
{
    static char kept[16];
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    const struct itimerval timer = {.it_value = {.tv_usec = 100000}};
    snprintf(kept, sizeof kept, "%s", what);
    in_handler = kept;
    took = -1;
    return outcome(sigaction(SIGALRM, &action, NULL) == 0 &&
                   setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static const char *tells_of_handler(const char *unused)
{
    (void)unused;
    return took < 0 ? "not called" : took < 100 ? "at once" : "not at once";
}

/* --- */

static const struct {
    const char *word;
    const char *(*act)(const char *argument);
} rows[] = {{"sqlite", open_by_sqlite},
            {"close", close_by_sqlite},
            {"list", lists},
            {"fopen", opens_stream},
            {"freopen", reopens_stream},
            {"creat", creates},
            {"open-dir", opens_directory},
            {"sidecar", makes_and_unlinks},
            {"rename", renames},
            {"remove", removes},
            {"exec", executes},
            {"command", commands},
            {"vfork", in_vfork_child},
            {"handler", has_handler},
            {"handled", tells_of_handler}};

static const char *act(char *line)
{
    char *argument = strchr(line, ' ');
    if (argument != NULL)
        *argument++ = '\0';
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(line, rows[i].word) == 0)
            return rows[i].act(argument == NULL ? "" : argument);
    return "unknown";
}

int main(int argc, char **argv)
{
    char line[256];
    if (argc != 2)
        return 2;
    dir = argv[1];
    snprintf(path, sizeof path, "%s/chroma.sqlite3", dir);
    snprintf(other, sizeof other, "%s/chroma.old", dir);
    snprintf(beside, sizeof beside, "%s.new", dir);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        long long began = now_ms();
        const char *result = act(line);
        printf("%lld %s\n", now_ms() - began, result);
        fflush(stdout);
    }
    return 0;
}
