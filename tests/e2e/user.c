#include "user.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct process user_with(const char *const *options)
{
    return spawn_shimmed(options,
                         OPTIONS("/usr/bin/python3", "tests/e2e/programs/user.py", world.dir));
}

struct process user(void)
{
    return user_with((const char *const[]){NULL});
}

char answer[512];

long run(struct process *p, const char *statement)
{
    char line[600];
    long ms = -1;
    send_line(p, statement);
    cr_assert(read_line(p, line, sizeof line), "%s: %s", statement, errors_of(p));
    cr_assert_eq(sscanf(line, "%ld %511[^\n]", &ms, answer), 2, "%s: %s", statement, line);
    return ms;
}

void expect(struct process *p, const char *statement, const char *result)
{
    run(p, statement);
    cr_expect_str_eq(answer, result, "%s: %s", statement, answer);
}

void user_ends(struct process *p)
{
    cr_expect_eq(finish(p), 0, "%s", errors_of(p));
}

void open_store(struct process *p, const char *journal)
{
    char statement[128];
    run(p, "c = sqlite3.connect(P)");
    snprintf(statement, sizeof statement, "c.execute('pragma journal_mode=%s').fetchall()",
             journal);
    run(p, statement);
    expect(p, "c.execute('create table t(a)'); c.commit()", "None");
}

struct process writer(unsigned ms)
{
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%u.%03u", ms / 1000, ms % 1000);
    struct process p = PLAIN("/usr/bin/python3", "-c",
                             "import ctypes, select, sqlite3, sys, time\n"
                             "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                             "c.execute('begin immediate')\n"
                             "c.execute('insert into t values (1)')\n"
                             "libc = ctypes.CDLL(None)\n"
                             "events = libc.inotify_init()\n" /* IN_OPEN | IN_CLOSE_WRITE */
                             "libc.inotify_add_watch(events, sys.argv[1].encode(), 0x28)\n"
                             "print('locked', flush=True)\n"
                             "select.select([events], [], [], 10)\n"
                             "time.sleep(float(sys.argv[2]))\n"
                             "print('released', time.monotonic_ns(), flush=True)\n"
                             "c.execute('commit')\n",
                             world.primary, seconds);
    await_line(&p, "locked");
    return p;
}

void expect_waits(struct process *p, struct process *holder, const char *statement)
{
    run(p, statement);
    uint64_t returned = now_ns();
    uint64_t released = released_at(holder);
    cr_expect_geq(returned, released, "%s: %s", statement, answer);
    cr_expect_lt(returned, released + PROMPTLY, "%s: %s", statement, answer);
}

void expect_passes(struct process *p, const char *statement)
{
    long ms = run(p, statement);
    cr_expect_lt(ms, SOON, "%s: took %ld ms, %s", statement, ms, answer);
}

void expect_waits_before(struct process *p, const char *statement)
{
    char line[600];
    char command[3 * PATH_MAX];
    struct stat before, after;
    struct process holder = hold_until_told("posix", world.primary);
    cr_assert_eq(stat(world.primary, &before), 0);
    send_line(p, statement);
    cr_expect(!says(p, "", 300), "%s", statement);
    cr_expect_eq(stat(world.primary, &after), 0, "%s", statement);
    cr_expect(before.st_ino == after.st_ino && before.st_size == after.st_size, "%s", statement);
    let_go(&holder);
    cr_assert(read_line(p, line, sizeof line));
    cr_expect(strstr(line, "Error") == NULL, "%s: %s", statement, line);
    user_ends(p);
    snprintf(command, sizeof command, "rm -rf '%s'* && mkdir '%s'", world.dir, world.dir);
    cr_assert_eq(system(command), 0);
}
