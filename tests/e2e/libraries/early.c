/* A preloaded library that opens and closes the store, the last word of the command line, in every
 * way when it begins and when it ends, and prints what it got. Its place among the other libraries
 * decides what of that comes before and after their lives. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static char store[4096];
static int kept = -1;

static void print(const char *line, size_t length)
{
    if (write(1, line, length) != (ssize_t)length)
        _exit(111);
}

static void say(const char *when, const char *what, long result)
{
    char line[128];
    int error = result < 0 ? errno : 0;
    print(line, (size_t)snprintf(line, sizeof line, "%s: %s %ld %d\n", when, what, result, error));
}

static void use_descriptors(const char *when)
{
    int fd = open(store, O_RDWR);
    int copy = dup(fd);
    say(when, "open", fd);
    say(when, "dup", copy);
    say(when, "dup2", dup2(fd, copy));
    say(when, "dup3", dup3(fd, copy, O_CLOEXEC));
    say(when, "close", close(copy));
    copy = fcntl(fd, F_DUPFD, 50);
    say(when, "fcntl", copy);
    say(when, "syscall", syscall(SYS_close, copy));
    say(when, "close_range", close_range((unsigned)fd, (unsigned)fd, 0));
    say(when, "close of a closed one", close(fd));
    say(when, "open of nothing", openat(AT_FDCWD, "/nonexistent", O_RDONLY));
}

static void use_streams(const char *when)
{
    FILE *stream = fopen(store, "r+");
    say(when, "fopen", fileno(stream));
    stream = freopen(store, "r", stream);
    say(when, "fclose", fclose(stream));
    stream = fdopen(open(store, O_RDWR), "r+");
    say(when, "fclose", fclose(stream));
    say(when, "fopen of nothing", fopen("/nonexistent", "r") == NULL ? -1 : 0);
}

static void use_sqlite(const char *when)
{
    sqlite3 *connection;
    say(when, "sqlite3_open", sqlite3_open(store, &connection));
    say(when, "sqlite3_exec",
        sqlite3_exec(connection, "create table if not exists early(a)", NULL, NULL, NULL));
    say(when, "sqlite3_close", sqlite3_close(connection));
    say(when, "sqlite3_close_v2", sqlite3_close_v2(NULL));
}

static void use_all(const char *when)
{
    use_descriptors(when);
    use_streams(when);
    use_sqlite(when);
}

/* glibc gives constructors the arguments of main. */
static __attribute__((constructor)) void begin(int count, char **words)
{
    strncpy(store, words[count - 1], sizeof store - 1);
    if (getenv("EARLY_KEEPS") != NULL)
        kept = open(store, O_RDWR);
    use_all("begin");
}

static __attribute__((destructor)) void end(void)
{
    if (kept >= 0)
        say("end", "close", close(kept));
    use_all("end");
    print("closed\n", 7);
}
