/* watched FILE HOW: opens a file and closes it, and prints which events a watch on its directory
 * and on those in that, the program's own, had of the close. HOW: a word for each thing that there
 * is to it, of the process before: thread (there is another), child (there was one), living (there
 * is one); of the file: stream (it is one), flock (it was locked), sqlite (it is a database of
 * SQLite, which opens it), wal, persist (with that journal), reader (by a connection that only
 * reads), left (the -wal is left behind), index (there are index files, too), odd (by other names);
 * and while it is open:
 *   fork, vfork, spawn (a child was made so, and has ended). */
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *how;
static char directory[4096];
static int watch;

static bool has(const char *word)
{
    return strstr(how, word) != NULL;
}

static void demand(bool met, const char *what)
{
    if (met)
        return;
    perror(what);
    exit(1);
}

/* --- before --- */

static void *sleep_on(void *argument)
{
    for (;;)
        pause();
    return argument;
}

static void make_child(bool lives)
{
    const pid_t pid = fork();
    if (pid == 0 && lives)
        for (prctl(PR_SET_PDEATHSIG, SIGKILL), alarm(20);;)
            pause();
    if (pid == 0)
        _exit(0);
    demand(pid > 0 && (lives || waitpid(pid, NULL, 0) == pid), "fork");
}

static void watch_directory(const char *path)
{
    demand(inotify_add_watch(watch, path, IN_OPEN | IN_ACCESS | IN_CLOSE) >= 0, path);
}

static void make_index(void)
{
    static const char *const usual[] = {"header.bin", "data_level0.bin", "length.bin",
                                        "link_lists.bin"};
    static const char *const odd[] = {"a.bin", "b.bin", "c.bin", "d.bin"};
    char path[sizeof directory + 64];
    snprintf(path, sizeof path, "%s/collection", directory);
    demand(mkdir(path, 0755) == 0, "mkdir");
    watch_directory(path);
    for (unsigned i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        snprintf(path, sizeof path, "%s/collection/%s", directory, has("odd") ? odd[i] : usual[i]);
        const int fd = open(path, O_WRONLY | O_CREAT, 0644);
        demand(fd >= 0 && close(fd) == 0, path);
    }
}

static void prepare(void)
{
    pthread_t thread;
    if (has("thread"))
        demand(pthread_create(&thread, NULL, sleep_on, NULL) == 0, "pthread_create");
    if (has("child"))
        make_child(false);
    if (has("living"))
        make_child(true);
    watch_directory(directory);
    if (has("index"))
        make_index();
}

/* --- while it is open --- */

static void make_children(void)
{
    extern char **environ;
    char name[] = "true";
    pid_t pid = 0;
    if (has("spawn"))
        demand(posix_spawn(&pid, "/bin/true", NULL, NULL, (char *[]){name, NULL}, environ) == 0,
               "posix_spawn");
    else if (has("vfork"))
        pid = vfork();
    else if (has("fork"))
        pid = fork();
    if (pid == 0 && has("fork"))
        _exit(0);
    demand(pid == 0 || waitpid(pid, NULL, 0) == pid, "waitpid");
}

/* --- the close --- */

static void drain(void)
{
    static char events[65536];
    while (read(watch, events, sizeof events) > 0)
        ;
}

static void tell(void)
{
    static _Alignas(struct inotify_event) char events[65536];
    int opens = 0;
    int closes = 0;
    int reads = 0;
    const ssize_t length = read(watch, events, sizeof events);
    for (ssize_t at = 0; at < length;) {
        const struct inotify_event *event = (const struct inotify_event *)(events + at);
        opens += (event->mask & IN_OPEN) != 0;
        closes += (event->mask & IN_CLOSE) != 0;
        reads += (event->mask & IN_ACCESS) != 0;
        at += (ssize_t)(sizeof *event + event->len);
    }
    printf("opens %d closes %d reads %d\n", opens, closes, reads);
}

static void use_own(const char *file)
{
    if (has("stream")) {
        FILE *stream = fopen(file, "r+");
        demand(stream != NULL, file);
        drain();
        demand(fclose(stream) == 0, "fclose");
        return;
    }
    const int fd = open(file, O_RDWR);
    demand(fd >= 0 && (!has("flock") || flock(fd, LOCK_EX) == 0), file);
    make_children();
    drain();
    demand(close(fd) == 0, "close");
}

static sqlite3 *connect(const char *file, int flags, const char *statement)
{
    sqlite3 *db;
    demand(sqlite3_open_v2(file, &db, flags, NULL) == SQLITE_OK &&
               sqlite3_exec(db, statement, NULL, NULL, NULL) == SQLITE_OK,
           statement);
    return db;
}

static void use_sqlite(const char *file)
{
    const char *make =
        has("wal")       ? "pragma journal_mode=wal; create table t(a)"
        : has("persist") ? "pragma journal_mode=persist; create table t(a); insert into t values(1)"
                         : "create table t(a)";
    sqlite3 *db = connect(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, make);
    if (has("left"))
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (has("reader")) {
        sqlite3_close(db);
        db = connect(file, SQLITE_OPEN_READONLY, "select * from t");
    }
    make_children();
    drain();
    demand(sqlite3_close(db) == SQLITE_OK, "sqlite3_close");
}

int main(int argc, char **argv)
{
    if (argc != 3 || snprintf(directory, sizeof directory, "%s", argv[1]) >= (int)sizeof directory)
        return 2;
    dirname(directory);
    how = argv[2];
    watch = inotify_init1(IN_NONBLOCK);
    prepare();
    if (has("sqlite"))
        use_sqlite(argv[1]);
    else
        use_own(argv[1]);
    tell();
    fflush(stdout);
    _exit(0); /* a child that lives is left to its alarm */
}
