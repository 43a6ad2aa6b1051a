/* settle --supervise: processes of the supervisor are killed, one after the other, while a close
 * waits where ptrace is refused. There the call itself waits for its answer, so somebody has to see
 * that it was left; under ptrace the kernel lets a thread go whose tracer has ended. */
#include "supervised.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define UNTRACED                                                                                   \
    "build/programs/filtered", "ptrace", "eperm", "--", "scripts/settle", "--supervise",           \
        "--max-wait", "20", "--log", "info", "--log-file", world.log

/* A child of that name, once it has one besides a certain one that was killed; 0: it has none in
 * ten seconds. */
static int child_named(int pid, const char *name, int besides)
{
    for (unsigned n = 0; n < 1000; n++, sleep_ms(10)) {
        char path[64];
        char found[32];
        int child;
        snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
        FILE *children = fopen(path, "re");
        while (children != NULL && fscanf(children, "%d", &child) == 1) {
            snprintf(path, sizeof path, "/proc/%d/comm", child);
            FILE *comm = fopen(path, "re");
            const bool is_named = comm != NULL && fscanf(comm, "%31s", found) == 1 &&
                                  strcmp(found, name) == 0 && child != besides;
            if (comm != NULL)
                fclose(comm);
            if (is_named) {
                fclose(children);
                return child;
            }
        }
        if (children != NULL)
            fclose(children);
    }
    return 0;
}

struct supervisor {
    int guard, dispatcher, worker; /* the worker that has the close */
};

static struct supervisor supervisor_of(const struct process *p)
{
    struct supervisor s;
    s.guard = child_named(p->pid, "settle-guard", 0);
    s.dispatcher = child_named(s.guard, "settle-dispatch", 0);
    s.worker = child_of(s.dispatcher);
    cr_assert(s.guard > 0 && s.dispatcher > 0 && s.worker > 0);
    return s;
}

/* A worker says once that it may not trace, when its first close is about to wait. (The file's own
 * events come only when the thread leaves the call.) */
static void await_wait(unsigned workers)
{
    for (unsigned n = 0; n < 1000 && log_count("ptrace is refused") < workers; n++)
        sleep_ms(10);
    cr_assert_eq(log_count("ptrace is refused"), workers);
    sleep_ms(100);
}

static struct process close_that_waits(struct process *holder)
{
    struct process p = PLAIN(UNTRACED, stepper);
    say(&p, "open A -", world.primary);
    *holder = hold_until_told("posix", world.primary);
    send_line(&p, "close A -");
    await_wait(1);
    return p;
}

/* The close returns, and later ones work and wait. */
static void expect_return(struct process *p, struct process *holder)
{
    char line[64] = "";
    cr_assert(read_line(p, line, sizeof line), "the close hangs");
    cr_expect_eq(strncmp(line, "0 12345 ", 8), 0, "%s", line);
    let_go(holder);
    say(p, "open A -", world.primary);
    expect_wait(p, "close A -");
    cr_expect_eq(finish(p), 0, "%s", errors_of(p));
}

static void expect_no_return(struct process *p)
{
    cr_expect_not(says(p, "0", 300), "it did not wait for its worker");
}

/* The dispatcher makes another guard; that, another dispatcher. The worker was the first
 * dispatcher's child, and is that of nobody who knows it when both of its elders are gone. */
Test(supervise, the_guard_the_dispatcher_and_then_the_worker_are_killed)
{
    struct process holder;
    struct process p = close_that_waits(&holder);
    const struct supervisor s = supervisor_of(&p);
    kill(s.guard, SIGKILL);
    const int guard = child_named(s.dispatcher, "settle-guard", 0);
    kill(s.dispatcher, SIGKILL);
    cr_assert_gt(child_named(guard, "settle-dispatch", 0), 0, "nobody answers");
    expect_no_return(&p);
    kill(s.worker, SIGKILL);
    expect_return(&p, &holder);
}

/* Here the guard has it for a child, until it is killed, too. */
Test(supervise, the_dispatcher_the_guard_and_then_the_worker_are_killed)
{
    struct process holder;
    struct process p = close_that_waits(&holder);
    const struct supervisor s = supervisor_of(&p);
    kill(s.dispatcher, SIGKILL);
    const int dispatcher = child_named(s.guard, "settle-dispatch", s.dispatcher);
    kill(s.guard, SIGKILL);
    cr_assert_gt(child_named(dispatcher, "settle-guard", 0), 0, "nobody stands by");
    expect_no_return(&p);
    kill(s.worker, SIGKILL);
    expect_return(&p, &holder);
}

Test(supervise, three_workers_are_killed_one_after_the_other)
{
    struct process p = PLAIN(UNTRACED, stepper);
    for (unsigned n = 0; n < 3; n++) {
        char line[64] = "";
        say(&p, "open A -", world.primary);
        struct process holder = hold_until_told("posix", world.primary);
        send_line(&p, "close A -");
        await_wait(n + 1);
        kill(supervisor_of(&p).worker, SIGKILL);
        cr_assert(read_line(&p, line, sizeof line), "close %u hangs", n);
        cr_expect_eq(strncmp(line, "0 12345 ", 8), 0, "%s", line);
        let_go(&holder);
    }
    say(&p, "open A -", world.primary);
    expect_wait(&p, "close A -");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}
