/* settle --supervise where something is refused or otherwise than usual: ptrace, kcmp, seccomp,
 * rights, a container's profile, debuggers. This kernel may have no Yama: a filter refuses ptrace
 * as its ptrace_scope does. */
#include "host.h"
#include "supervised.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETTLE                 "scripts/settle", "--supervise", "--log", "info", "--log-file", world.log, "--"
#define FILTERED(call, action) "build/programs/filtered", call, action, "--"
#define AS_ANOTHER             "setpriv", "--clear-groups", "--regid", ordinary_user, "--reuid", ordinary_user

static bool is_root(const char *what)
{
    if (geteuid() == 0)
        return true;
    cr_log_warn("SKIPPED: %s needs root", what);
    return false;
}

static void expect_wait_of_a_close(struct process *p)
{
    say(p, "open A -", world.primary);
    expect_wait(p, "close A -");
    cr_expect_eq(step(p, "close A -").error, EBADF, "it is closed");
    cr_expect_eq(finish(p), 0, "%s", errors_of(p));
}

/* --- standard streams --- */

/* As daemons are started. What the supervisor opens gets their numbers. */
Test(supervise, whichever_standard_streams_are_closed_it_starts_and_waits)
{
    static const char *const closed[] = {"<&-",      ">&-",      "2>&-",        "<&- >&-",
                                         "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"};
    for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++) {
        char script[256];
        snprintf(script, sizeof script,
                 "exec scripts/settle --supervise --max-wait 20 -- %s close \"$1\" %s", program,
                 closed[i]);
        struct process holder = hold("posix", world.primary, 500);
        struct process p = PLAIN("sh", "-c", script, "sh", world.primary);
        cr_expect_eq(finish(&p), 0, "%s: %s", closed[i], errors_of(&p));
        uint64_t now = now_ns();
        cr_expect_gt(now, released_at(&holder), "%s", closed[i]);
    }
}

/* Each child is one more whose descriptors are looked at. */
Test(supervise, under_a_low_limit_of_descriptors_closes_wait)
{
    struct process p = PLAIN("sh", "-c", "ulimit -n 24; exec \"$@\"", "sh", SETTLE, stepper);
    say(&p, "open A -", world.primary);
    for (int i = 0; i < 40; i++)
        cr_expect_eq(step(&p, "childcloses A -").result, 0);
    expect_wait(&p, "close A -");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* --- ptrace --- */

Test(supervise, where_ptrace_is_refused_a_dead_descriptor_stands_in)
{
    struct process p = PLAIN(FILTERED("ptrace", "eperm"), SETTLE, stepper);
    say(&p, "open B -", "/dev/null");
    say(&p, "open A -", world.primary);
    expect_wait(&p, "dup2 B A");
    say(&p, "fopen C -", world.primary);
    expect_wait(&p, "fclose C -");
    cr_expect(log_has("ptrace is refused"));
    expect_wait_of_a_close(&p);
}

/* The open file itself is there until the thread has left the call, so that a wait for it is in
 * vain. */
Test(supervise,
     where_ptrace_is_refused_what_goes_with_the_open_file_is_not_waited_for_and_that_is_said)
{
    static const char *const levels[] = {"unlocked", "unwritten", "closed"};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        struct process p = PLAIN(FILTERED("ptrace", "eperm"), "scripts/settle", "--supervise",
                                 "--until", levels[i], "--max-wait", "5", "--", stepper);
        for (int n = 0; n < 2; n++) {
            say(&p, "open A -", world.primary);
            if (i == 0)
                cr_expect_eq(step(&p, "flock A -").result, 0);
            struct step closed = step(&p, "close A -");
            cr_expect_eq(closed.result, 0);
            cr_expect_lt(closed.took, 4 * a_while, "%s: in vain", levels[i]);
        }
        say(&p, "open A -", world.primary);
        if (i == 0)
            expect_wait(&p, "close A -");
        cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
        const char *said = strstr(errors_of(&p), "a close does not wait");
        cr_expect_not_null(said, "%s: %s", levels[i], errors_of(&p));
        cr_expect(said == NULL || strstr(said + 1, "a close does not wait") == NULL, "said twice");
    }
}

/* The descriptor in its place would have closed it. */
Test(supervise, a_duplicate_that_fails_leaves_the_store_open_there)
{
    struct process p = PLAIN(FILTERED("ptrace", "eperm"), SETTLE, stepper);
    say(&p, "open A -", world.primary);
    say(&p, "adopt B -", "77");
    struct process holder = hold("posix", world.primary, 800);
    struct step failed = step(&p, "dup2 B A");
    cr_expect_eq(failed.result, -1);
    cr_expect_eq(failed.error, EBADF);
    cr_expect_lt(failed.took, at_once);
    released_at(&holder);
    expect_wait(&p, "close A -");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(supervise, a_signal_ends_the_wait_where_ptrace_is_refused)
{
    struct process p = PLAIN(FILTERED("ptrace", "eperm"), "scripts/settle", "--supervise",
                             "--max-wait", "20", "--record", world.log, "--", signals, "interrupt");
    struct process holder = hold_until_told("posix", world.primary);
    send_line(&p, world.primary);
    for (int waited = 0; waited < 1000 && !log_has("wait begun"); waited++)
        sleep_ms(20);
    uint64_t began = now_ns();
    kill(p.pid, SIGUSR1);
    await_line(&p, "done");
    await_line(&p, "closed 0");
    cr_expect_lt(now_ns() - began, a_while);
    let_go(&holder);
    cr_expect_eq(finish(&p), 0);
}

Test(supervise, under_gdb_closes_wait)
{
    struct process holder = hold("posix", world.primary, 800);
    struct process p =
        PLAIN("gdb", "-q", "-batch", "-ex", "set debuginfod enabled off", "-ex", "run", "--args",
              "build/settle-supervise", program, "close", world.primary);
    await_line(&p, "[Inferior 1 ");
    uint64_t now = now_ns();
    cr_expect_gt(now, released_at(&holder), "%s", errors_of(&p));
    cr_expect_eq(finish(&p), 0);
}

/* Yama's ptrace_scope: at 1 the command may be traced, which has said so, but no child of it; at 2
 * whoever has CAP_SYS_PTRACE may; at 3 nobody. Most kernels have it (tests/supervise/machine). */
static bool yama_refuses_children(void)
{
    int scope = 0;
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    if (file != NULL && fscanf(file, "%d", &scope) != 1)
        scope = 0;
    if (file != NULL)
        fclose(file);
    return scope == 3 || (scope > 0 && geteuid() != 0);
}

Test(supervise, a_close_of_a_child_waits_whether_it_may_be_traced_or_not)
{
    struct process p = PLAIN(SETTLE, "sh", "-c", "build/programs/stepper-static; exit 0");
    say(&p, "open A -", world.primary);
    expect_wait(&p, "close A -");
    cr_expect_eq(log_has("ptrace is refused"), yama_refuses_children());
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* --- what else may be refused --- */

/* As in a container without CAP_SYS_PTRACE. */
Test(supervise, where_kcmp_is_refused_a_childs_copies_are_known)
{
    struct process p = PLAIN(FILTERED("kcmp", "eperm"), SETTLE, stepper);
    say(&p, "open A -", world.primary);
    struct process holder = hold("posix", world.primary, 800);
    cr_expect_eq(step(&p, "childcloses A -").result, 0, "the child waited for its copy");
    released_at(&holder);
    expect_wait(&p, "close A -");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(supervise, under_dockers_profile_closes_wait)
{
    if (!is_root("a container's filter and capabilities"))
        return;
    struct process p = PLAIN("/usr/bin/python3", "tests/e2e/programs/docker_filtered.py",
                             "build/docker/default.json", SETTLE, stepper);
    expect_wait_of_a_close(&p);
}

static void expect_refusal(const char *action, const char *why)
{
    struct process p =
        PLAIN("build/programs/filtered", "seccomp", action, "--", SETTLE, "echo", "ran");
    char line[64];
    cr_expect_not(read_line(&p, line, sizeof line), "%s: it ran", action);
    cr_expect_eq(finish(&p), 125, "%s: %s", action, errors_of(&p));
    cr_expect_not_null(strstr(errors_of(&p), why), "%s: no '%s' in: %s", action, why,
                       errors_of(&p));
}

/* An older kernel refuses the filter's flag. */
Test(supervise, a_kernel_or_sandbox_that_has_no_such_filter_is_refused)
{
    expect_refusal("einval", "needs Linux 5.19");
    expect_refusal("enosys", "has no seccomp filters");
    expect_refusal("eperm", "refuses seccomp(2)");
}

/* --- no more processes --- */

/* Has it stand still when it next looks at a descriptor, for which line is sent. */
static void stop_at_a_look(int pid, struct process *p, const char *line)
{
    struct __ptrace_syscall_info info = {.op = 0};
    int status;
    cr_assert_eq(ptrace(PTRACE_ATTACH, pid, 0, 0), 0, "%s", strerror(errno));
    cr_assert_eq(waitpid(pid, &status, __WALL), pid);
    cr_assert_eq(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD), 0);
    send_line(p, line);
    while (info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr != SYS_readlinkat) {
        cr_assert_eq(ptrace(PTRACE_SYSCALL, pid, 0, 0), 0);
        cr_assert_eq(waitpid(pid, &status, __WALL), pid);
        cr_assert_gt(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info), 0);
    }
}

/* By a process of the same user: it may be that root may not. */
static void limit_processes(int pid, const char *soft)
{
    char number[16];
    snprintf(number, sizeof number, "%d", pid);
    struct process p = PLAIN(AS_ANOTHER, "prlimit", "--pid", number, soft);
    cr_assert_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* The process that answers is killed while it has a call, and there can be no other. */
Test(supervise, the_guard_lets_calls_go_on_while_nobody_else_can)
{
    if (!is_root("another user"))
        return;
    open_world();
    struct process p = PLAIN(AS_ANOTHER, "scripts/settle", "--supervise", stepper);
    say(&p, "open A -", world.primary);
    const int guard = child_of(p.pid);
    const int dispatcher = child_of(guard);
    limit_processes(guard, "--nproc=1:");
    stop_at_a_look(dispatcher, &p, "close A -");
    uint64_t began = now_ns();
    kill(dispatcher, SIGKILL);
    waitpid(dispatcher, NULL, __WALL);
    char line[64] = "";
    cr_assert(read_line(&p, line, sizeof line), "the call that it had hangs");
    cr_expect_eq(strncmp(line, "0 12345 ", 8), 0, "%s", line);
    cr_expect_lt(now_ns() - began, 2000 * (uint64_t)MS);
    say(&p, "open A -", world.primary);
    cr_expect_eq(step(&p, "close A -").result, 0);
    limit_processes(guard, "--nproc=1000:");
    cr_expect_eq(step(&p, "badclose - -").error, EBADF);
    say(&p, "open A -", world.primary);
    expect_wait(&p, "close A -");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* --- rights --- */

Test(supervise, only_who_must_gives_up_new_privileges)
{
    if (!is_root("another user"))
        return;
    struct process p = PLAIN(SETTLE, program, "privileges");
    cr_expect_eq(await_number(&p, "none new"), 0);
    cr_expect_eq(finish(&p), 0);
    open_world();
    p = PLAIN(AS_ANOTHER, "scripts/settle", "--supervise", program, "privileges");
    cr_expect_eq(await_number(&p, "none new"), 1);
    cr_expect_eq(finish(&p), 0);
}

Test(supervise, who_may_not_be_looked_at_does_not_wait_and_that_is_said_once)
{
    if (!is_root("another user"))
        return;
    open_world();
    struct process p =
        PLAIN(AS_ANOTHER, "scripts/settle", "--supervise", program, "undumpable", world.primary);
    await_line(&p, "open");
    struct process holder = hold("posix", world.primary, 1500);
    uint64_t began = now_ns();
    cr_expect_eq(finish(&p), 0);
    cr_expect_lt(now_ns() - began, 1000 * (uint64_t)MS);
    const char *said = strstr(errors_of(&p), "may not be looked at");
    cr_expect_not_null(said, "%s", errors_of(&p));
    cr_expect(said == NULL || strstr(said + 1, "may not be looked at") == NULL, "said twice");
    released_at(&holder);
}
