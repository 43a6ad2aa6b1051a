/* settle --supervise: programs that no preloaded library reaches, here static ones in C. What is in
 * tests/supervise does the same with SQLite in other languages. */
#include "supervised.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(supervise, .init = world_begin, .fini = world_end, .timeout = 120);

#define SUPERVISED(...) SHIMMED_WITH(OPTIONS("--supervise"), __VA_ARGS__)

static void expect_no_wait(struct process *p, const char *command)
{
    struct process holder = hold("posix", world.primary, 800);
    struct step closed = step(p, command);
    cr_expect_lt(closed.took, at_once, "%s took %lu ns", command, (unsigned long)closed.took);
    released_at(&holder);
}

Test(supervise, the_last_close_waits)
{
    struct process p = SUPERVISED(stepper);
    say(&p, "open A -", world.primary);
    expect_wait(&p, "close A -");
    cr_expect_eq(log_count("File unlocked after polling"), 1);
    say(&p, "open A -", world.primary);
    step(&p, "dup A B");
    expect_no_wait(&p, "close A -");
    cr_expect_eq(log_waits(), 1);
    expect_wait(&p, "rawclose B -");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(supervise, every_way_to_close_waits)
{
    struct process p = SUPERVISED(stepper);
    say(&p, "open B -", "/dev/null");
    say(&p, "open A -", world.primary);
    expect_wait(&p, "dup2 B A");
    say(&p, "open C -", world.primary);
    expect_wait(&p, "dup3 B C 0");
    say(&p, "open D -", world.primary);
    expect_wait(&p, "rawcloserange D D 0");
    say(&p, "fopen E -", world.primary);
    expect_wait(&p, "fclose E -");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(supervise, a_call_that_fails_closes_nothing_and_waits_for_nothing)
{
    struct process p = SUPERVISED(stepper);
    say(&p, "open A -", world.primary);
    say(&p, "adopt B -", "77");
    struct process holder = hold("posix", world.primary, 800);
    struct step failed = step(&p, "dup2 B A");
    cr_expect_eq(failed.result, -1);
    cr_expect_eq(failed.error, EBADF);
    cr_expect_lt(failed.took, at_once);
    failed = step(&p, "badclose - -");
    cr_expect_eq(failed.error, EBADF);
    cr_expect_eq(log_waits(), 0);
    released_at(&holder);
    expect_wait(&p, "close A -");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(supervise, who_only_reads_and_children_do_not_wait)
{
    struct process p = SUPERVISED(stepper);
    say(&p, "nonblock A -", world.primary);
    expect_no_wait(&p, "close A -");
    say(&p, "open B -", world.primary);
    struct process holder = hold("posix", world.primary, 800);
    cr_expect_eq(step(&p, "childcloses B -").result, 0, "the child waited for its copy");
    released_at(&holder);
    expect_wait(&p, "close B -");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* A rule, the log, the exit line, and the record, which settle-report reads. */
Test(supervise, rules_log_record_and_report_are_the_librarys)
{
    char record[PATH_MAX + 8];
    snprintf(record, sizeof record, "%s.record", world.log);
    struct process p = SHIMMED_WITH(OPTIONS("--supervise", "--rule", "/tmp/*: max_wait=300ms",
                                            "--max-wait", "60", "--record", record),
                                    stepper);
    say(&p, "open A -", world.primary);
    struct process holder = hold("posix", world.primary, 1500);
    struct step closed = step(&p, "close A -");
    cr_expect_gt(closed.took, 250 * (uint64_t)MS);
    cr_expect_lt(closed.took, 1200 * (uint64_t)MS);
    cr_expect(log_has("still locked after"));
    released_at(&holder);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect(log_has("summary: 1 close"));
    struct process report = PLAIN("scripts/settle-report", record);
    cr_expect(says(&report, "How closes ended", 10000));
    cr_expect_eq(finish(&report), 0);
}

/* --- a free store --- */

/* The supervisor's processes that have books of one of the program's; one more waits for work. */
static unsigned workers_of(const struct process *p)
{
    int first;
    return children_of(child_of(child_of(p->pid)), &first) - 1;
}

/* With nothing to tell of it. */
#define QUIETLY(...) SHIMMED_WITH(OPTIONS("--supervise", "--log", "warn"), __VA_ARGS__)

Test(supervise, a_close_of_a_free_store_is_answered_at_once)
{
    struct process p = QUIETLY(stepper);
    struct stat st;
    cr_assert_eq(stat(in_dir(""), &st), 0);
    /* Where links do not tell that no directory lies beside it, as on Btrfs, one has to look. */
    const bool looks = st.st_nlink == 1;
    for (int i = 0; i < 3; i++) {
        say(&p, "open A -", world.primary);
        cr_expect_eq(step(&p, "close A -").result, 0);
    }
    cr_expect_eq(workers_of(&p), looks, "a free store took a worker");
    say(&p, "open A -", world.primary);
    expect_wait(&p, "close A -");
    cr_expect_eq(workers_of(&p), 1);
    say(&p, "open A -", world.primary);
    cr_expect_eq(step(&p, "close A -").result, 0);
    say(&p, "open A -", world.primary);
    expect_wait(&p, "close A -");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(supervise, a_store_is_free_where_nobody_has_any_lock_and_nothing_lies_beside_it)
{
    static const char *const locks[] = {"posix", "posix-read", "ofd", "flock"};
    char wal[sizeof world.primary + 8];
    for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++) {
        struct process p = QUIETLY(stepper);
        say(&p, "open A -", world.primary);
        struct process holder = hold(locks[i], world.primary, 700);
        cr_expect_gt(step(&p, "close A -").took, 400 * (uint64_t)MS, "%s", locks[i]);
        released_at(&holder);
        cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    }
    snprintf(wal, sizeof wal, "%s-wal", world.primary);
    fclose(fopen(wal, "we"));
    struct process p = QUIETLY(stepper);
    say(&p, "open A -", world.primary);
    struct process holder = hold("posix", wal, 700);
    cr_expect_gt(step(&p, "close A -").took, 400 * (uint64_t)MS, "beside it");
    released_at(&holder);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* Up to the close it is in the way of whoever asks. */
Test(supervise, a_flock_of_its_own_is_no_reason_to_wait)
{
    struct process p = QUIETLY(stepper);
    say(&p, "open A -", world.primary);
    cr_expect_eq(step(&p, "flock A -").result, 0);
    cr_expect_lt(step(&p, "close A -").took, at_once);
    say(&p, "open A -", world.primary);
    cr_expect_eq(step(&p, "flock A -").result, 0, "it is still held");
    expect_wait(&p, "close A -");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* --- signals --- */

/* programs/signals in the middle of its close, until the holder is told. */
static struct process close_held(const char *action, struct process *holder)
{
    struct process p = SHIMMED_WITH(OPTIONS("--supervise", "--max-wait", "20"), signals, action);
    *holder = hold_until_told("posix", world.primary);
    int watch = watch_closes(world.primary);
    send_line(&p, world.primary);
    await_close(watch);
    return p;
}

Test(supervise, handlers_run_during_a_wait)
{
    struct process holder;
    struct process p = close_held("interrupt", &holder);
    char line[64] = "";
    int result;
    int error;
    int handled;
    for (int i = 0; i < 8; i++) {
        kill(p.pid, SIGUSR1);
        await_line(&p, "done");
    }
    cr_expect(!says(&p, "closed", 200), "a signal ended the wait");
    let_go(&holder);
    cr_assert(read_line(&p, line, sizeof line));
    cr_expect_eq(sscanf(line, "closed %d %d %d", &result, &error, &handled), 3, "%s", line);
    cr_expect_eq(result, 0);
    cr_expect_eq(error, 12345);
    cr_expect_eq(handled, 8, "%d handlers ran", handled);
    cr_expect_eq(finish(&p), 0);
}

Test(supervise, a_handler_may_leave_the_close)
{
    struct process holder;
    struct process p = close_held("leave", &holder);
    kill(p.pid, SIGUSR1);
    await_line(&p, "left");
    let_go(&holder);
    send_line(&p, world.primary);
    await_line(&p, "closed");
    cr_expect_eq(finish(&p), 0);
}

Test(supervise, sigterm_ends_a_wait_and_the_program)
{
    struct process holder;
    struct process p = close_held("default", &holder);
    uint64_t began = now_ns();
    kill(p.pid, SIGTERM);
    cr_expect_eq(finish(&p), 128 + SIGTERM);
    cr_expect_lt(now_ns() - began, at_once);
    cr_expect(log_has("SIGINT or SIGTERM ended the wait"));
    let_go(&holder);
}

static void stop(const struct process *p)
{
    int status = 0;
    kill(p->pid, SIGSTOP);
    uint64_t began = now_ns();
    while (waitpid(p->pid, &status, WUNTRACED | WNOHANG) == 0 && now_ns() - began < a_while)
        sleep_ms(1);
    cr_expect(WIFSTOPPED(status), "it is not stopped: %x", (unsigned)status);
    cr_expect_lt(now_ns() - began, at_once);
}

Test(supervise, a_stop_during_a_wait_is_the_programs)
{
    struct process holder;
    struct process p = close_held("default", &holder);
    stop(&p);
    kill(p.pid, SIGCONT);
    cr_expect(!says(&p, "closed", 200));
    let_go(&holder);
    await_line(&p, "closed 0");
    cr_expect_eq(finish(&p), 0);
}

/* The thread that is held takes no part in it by itself. */
Test(supervise, a_stop_that_another_thread_takes_is_the_whole_programs)
{
    struct process holder = hold_until_told("posix", world.primary);
    int watch = watch_closes(world.primary);
    struct process p =
        SHIMMED_WITH(OPTIONS("--supervise", "--max-wait", "20"), program, "closing", world.primary);
    await_close(watch);
    stop(&p);
    kill(p.pid, SIGCONT);
    cr_expect(!says(&p, "closed", 200));
    let_go(&holder);
    await_line(&p, "closed");
    cr_expect_eq(finish(&p), 0);
}

/* --- the program's own --- */

Test(supervise, its_end_is_the_programs)
{
    struct process p = SUPERVISED("sh", "-c", "exit 7");
    cr_expect_eq(finish(&p), 7);
    p = SUPERVISED("sh", "-c", "kill -KILL $$");
    cr_expect_eq(finish(&p), 128 + SIGKILL);
    p = SUPERVISED("no-such-command");
    cr_expect_eq(finish(&p), 127);
}

Test(supervise, it_has_no_child_that_it_did_not_make)
{
    struct process p = SUPERVISED(program, "waits");
    char line[64] = "";
    int pid = 0;
    int error = 0;
    cr_expect(read_line(&p, line, sizeof line));
    cr_expect_eq(sscanf(line, "wait %d %d", &pid, &error), 2, "%s", line);
    cr_expect_eq(pid, -1);
    cr_expect_eq(error, ECHILD);
    cr_expect_eq(finish(&p), 0);
}

/* Who reads what a program says to standard error waits for the end of it. */
Test(supervise, nothing_of_it_is_kept_open)
{
    uint64_t began = now_ns();
    struct process p = PLAIN("sh", "-c",
                             "scripts/settle --supervise -- sh -c 'sleep 5 >/dev/null 2>&1 &' 2>&1 "
                             "| cat");
    cr_expect_eq(finish(&p), 0);
    cr_expect_lt(now_ns() - began, 4000 * (uint64_t)MS);
}

Test(supervise, many_closes_and_children)
{
    struct process p = SUPERVISED(program, "closes", "20000");
    cr_expect_eq(await_number(&p, "failed"), 0);
    cr_expect_eq(finish(&p), 0);
    p = SUPERVISED(program, "children", world.primary, "50");
    cr_expect_eq(await_number(&p, "failed"), 0);
    cr_expect_eq(finish(&p), 0);
    p = SUPERVISED("build/programs/supervised-musl-static", "children", world.primary, "5");
    cr_expect_eq(await_number(&p, "failed"), 0);
    cr_expect_eq(finish(&p), 0);
}

Test(supervise, a_wait_ends_when_the_program_opens_the_store_again)
{
    struct process p = SUPERVISED(program, "reopen", world.primary);
    await_line(&p, "open");
    struct process holder = hold("posix-read", world.primary, 1500);
    send_line(&p, "go");
    cr_expect_lt(await_number(&p, "closed"), 1000);
    cr_expect(log_has("opened again by this process"));
    released_at(&holder);
    cr_expect_eq(finish(&p), 0);
}

/* --- the exit --- */

Test(supervise, the_exit_waits_for_closes_of_other_threads)
{
    struct process holder = hold("posix", world.primary, 800);
    struct process p = SUPERVISED(program, "exit-closing", world.primary, "30");
    cr_expect_eq(finish(&p), 4, "%s", errors_of(&p));
    uint64_t now = now_ns();
    cr_expect_gt(now, released_at(&holder));
    cr_expect_eq(log_count("File unlocked after polling"), 1);
}

Test(supervise, the_exit_of_one_thread_waits_for_nothing)
{
    struct process holder = hold("posix", world.primary, 1000);
    uint64_t began = now_ns();
    struct process p =
        SHIMMED_WITH(OPTIONS("--supervise", "--max-wait", "10", "--fallback-delay", "5"), program,
                     "exit-open", world.primary);
    cr_expect_eq(finish(&p), 5, "%s", errors_of(&p));
    cr_expect_lt(now_ns() - began, 4000 * (uint64_t)MS, "it waited for a thread that is not there");
    released_at(&holder);
}

/* --- who is killed --- */

/* Kills one of the supervisor's processes while a close waits: the guard (1), the one that answers
 * (2), a worker (3). The close returns, and later ones work and wait. */
static void kill_one(unsigned which)
{
    struct process p = SUPERVISED(stepper);
    struct process holder = hold("posix", world.primary, 900);
    say(&p, "open A -", world.primary);
    int watch = watch_closes(world.primary);
    send_line(&p, "close A -");
    await_close(watch);
    int victim = p.pid;
    for (unsigned i = 0; i < which; i++)
        victim = child_of(victim);
    cr_assert_gt(victim, 0, "there is no process %u", which);
    kill(victim, SIGKILL);
    char line[64] = "";
    cr_assert(read_line(&p, line, sizeof line), "killed %u: the close hangs", which);
    cr_expect_eq(strncmp(line, "0 12345 ", 8), 0, "killed %u: %s", which, line);
    released_at(&holder);
    sleep_ms(100);
    say(&p, "open A -", world.primary);
    expect_wait(&p, "close A -");
    cr_expect_eq(finish(&p), 0, "killed %u: %s", which, errors_of(&p));
}

Test(supervise, a_supervisor_that_is_killed_takes_nobody_along)
{
    for (unsigned which = 1; which <= 3; which++)
        kill_one(which);
}

/* --- where it cannot, or not as well --- */

Test(supervise, a_traced_program_gets_a_dead_descriptor_instead)
{
    struct process p =
        PLAIN("strace", "-f", "-o", "/dev/null", "-e", "trace=none", "scripts/settle",
              "--supervise", "--log", "info", "--log-file", world.log, "--", stepper);
    say(&p, "open A -", world.primary);
    expect_wait(&p, "close A -");
    cr_expect(log_has("ptrace is refused"));
    cr_expect_eq(step(&p, "close A -").error, EBADF, "it is closed");
    say(&p, "open B -", "/dev/null");
    say(&p, "open A -", world.primary);
    expect_wait(&p, "dup2 B A");
    say(&p, "open A -", world.primary);
    expect_wait(&p, "rawcloserange A A 0");
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

static void expect_refusal(const char *const *command, int status, const char *why)
{
    struct process p = spawn_plain(command);
    char line[64];
    cr_expect_not(read_line(&p, line, sizeof line), "it ran");
    cr_expect_eq(finish(&p), status, "%s", errors_of(&p));
    cr_expect_not_null(strstr(errors_of(&p), why), "no '%s' in: %s", why, errors_of(&p));
}

Test(supervise, what_cannot_be_is_refused_before_the_program_starts)
{
    expect_refusal(
        OPTIONS("scripts/settle", "--supervise", "scripts/settle", "--supervise", "echo", "ran"),
        125, "there can be one only");
    expect_refusal(OPTIONS("scripts/settle", "--supervise", "--trigger", "use", "echo", "ran"), 125,
                   "expected last or every");
    expect_refusal(OPTIONS("scripts/settle", "--supervise", "--no-children", "echo", "ran"), 125,
                   "children are under the supervisor, too");
}
