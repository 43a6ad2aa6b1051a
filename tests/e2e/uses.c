/* Uses, call by call: programs/uses.c makes each as C programs do, and in children and handlers.
 * What a use waits for is in use.c. */
#include "user.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(uses, .init = world_begin, .fini = world_end, .timeout = 120);

static struct process program_with(const char *const *options)
{
    return spawn_shimmed(options, OPTIONS("build/programs/uses", world.dir));
}

/* It has the store open, and no lock. */
static struct process program(void)
{
    struct process p = program_with((const char *const[]){NULL});
    expect(&p, "sqlite delete", "0");
    return p;
}

/* --- calls --- */

Test(uses, each_call_that_lists_opens_or_starts_waits_for_who_writes)
{
    static const char *const calls[] = {"list opendir", "list scandir",   "list scandirat",
                                        "fopen r",      "freopen r",      "fopen r+",
                                        "freopen r+",   "command system", "command popen"};
    struct process p = program();
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct process holder = writer(250);
        expect_waits(&p, &holder, calls[i]);
        cr_expect_str_eq(answer, "0", "%s", calls[i]);
    }
    user_ends(&p);
}

Test(uses, each_exec_with_the_store_among_its_arguments_waits_for_who_writes)
{
    static const char *const calls[] = {"exec execl",   "exec execlp",  "exec execle",
                                        "exec execv",   "exec execvp",  "exec execve",
                                        "exec execvpe", "exec fexecve", "exec execveat"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct process p = program();
        struct process holder = writer(250);
        expect_waits(&p, &holder, calls[i]);
        cr_expect_str_eq(answer, "replaced", "%s", calls[i]);
        user_ends(&p);
    }
}

Test(uses, each_call_that_destroys_waits_before_it_does)
{
    static const char *const calls[] = {
        "fopen w",       "freopen w",       "fopen w+",         "creat",         "rename rename",
        "rename over",   "rename renameat", "rename renameat2", "remove unlink", "remove unlinkat",
        "remove remove", "remove rmdir",    "rename exchange"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct process p = program();
        expect(&p, "close", "0");
        fclose(fopen(in_dir("chroma.new"), "w"));
        expect_waits_before(&p, calls[i]);
    }
}

/* The limit in libsettle(7): libc calls its own functions in there. */
Test(uses, what_libc_lists_inside_of_glob_and_nftw_is_not_seen)
{
    struct process p = program();
    struct process holder = writer(3000);
    expect_passes(&p, "list glob");
    expect_passes(&p, "list nftw");
    kill_now(&holder);
    user_ends(&p);
}

/* An SQLite syncs the directory and makes and removes a journal while it has locks itself. */
Test(uses, an_open_of_the_directory_and_sidecars_are_none)
{
    struct process p = program();
    expect(&p, "close", "0");
    struct process holder = hold("posix", world.primary, 10000);
    expect_passes(&p, "open-dir");
    expect_passes(&p, "sidecar -journal");
    expect_passes(&p, "sidecar -wal");
    kill_now(&holder);
    user_ends(&p);
}

/* --- children --- */

/* It shares its parent's memory and stands in its parent's call. */
Test(uses, a_vfork_child_waits_for_nobody)
{
    static const char *const uses[] = {"vfork list", "vfork open", "vfork exec", "vfork unlink"};
    struct process p = program();
    struct process holder = writer(10000);
    for (size_t i = 0; i < 3; i++)
        expect(&p, uses[i], "at once");
    kill_now(&holder);
    expect(&p, "close", "0");
    holder = hold("posix", world.primary, 10000);
    for (size_t i = 0; i < 4; i++)
        expect(&p, uses[i], "at once");
    kill_now(&holder);
    user_ends(&p);
}

/* So Python's subprocess starts a program: what the child executes is not known before it is there.
 */
Test(uses, a_child_of_vfork_or_fork_and_exec_waits_for_closes_under_way_alone)
{
    static const char *const starts[] = {
        "subprocess.run(['true', D])", "subprocess.run(['true'], preexec_fn=lambda: None)",
        "in_child(lambda: None)", "os.system('true')", "spawn('ls', '/')"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct process p = user();
        run(&p, "c = sqlite3.connect(P, check_same_thread=False)");
        expect(&p, "c.execute('create table t(a)'); c.commit()", "None");
        struct process holder = writer(2000);
        expect_passes(&p, starts[i]);
        kill_now(&holder);
        holder = hold("posix", world.primary, 300);
        run(&p, "t = later(c.close)");
        sleep_ms(50);
        expect_waits(&p, &holder, starts[i]);
        run(&p, "t.join()");
        user_ends(&p);
        remove(world.primary);
    }
}

/* --- signals --- */

/* It has interrupted that wait, of a close or a use, which goes on. */
Test(uses, a_use_in_a_handler_that_interrupted_a_wait_waits_for_nobody)
{
    static const char *const uses[] = {"handler list", "handler open"};
    for (size_t i = 0; i < 2; i++) {
        struct process p = program();
        struct process holder = writer(500);
        run(&p, uses[i]);
        expect_waits(&p, &holder, "list opendir");
        expect(&p, "handled", "at once");
        holder = hold("posix", world.primary, 500);
        run(&p, uses[i]);
        expect_waits(&p, &holder, "close");
        expect(&p, "handled", "at once");
        user_ends(&p);
    }
}

static void expect_sigint_ends_use(struct process *p)
{
    send_line(p, "exec('try: os.listdir(D)\\nexcept KeyboardInterrupt: pass')");
    await_threads(p, 2);
    sleep_ms(50);
    uint64_t sent = now_ns();
    cr_expect_eq(kill(p->pid, SIGINT), 0);
    await_line(p, "");
    cr_expect_lt(now_ns() - sent, 2 * SOON * (uint64_t)MS);
}

Test(uses, sigint_ends_the_wait_of_a_use)
{
    struct process p = user_with(OPTIONS("--log", "info", "--max-wait", "20"));
    open_store(&p, "delete");
    struct process holder = writer(10000);
    expect_sigint_ends_use(&p);
    cr_expect_eq(log_count("SIGINT or SIGTERM ended the wait after"), 1);
    kill_now(&holder);
    user_ends(&p);
}

/* And with it the one that would follow, for who writes. */
Test(uses, sigint_ends_the_wait_for_connections_that_go_away)
{
    char record[PATH_MAX + 16], command[3 * PATH_MAX];
    snprintf(record, sizeof record, "%s.record", world.log);
    struct process p =
        user_with(OPTIONS("--max-wait", "20", "--fallback-delay", "10", "--record", record));
    open_store(&p, "delete");
    run(&p, "t = later(time.sleep, 20)");
    run(&p, "d = sqlite3.connect(P); d.execute('select * from t').fetchall()");
    run(&p, "d.close()");
    struct process holder = hold("posix", world.primary, 10000);
    expect_sigint_ends_use(&p);
    kill_now(&holder);
    kill_now(&p);
    snprintf(command, sizeof command, "grep -q '\"store used\".*\"outcome\":\"not waited\"' '%s'",
             record);
    cr_expect_eq(system(command), 0);
}

/* --- connections that go away --- */

Test(uses, a_grace_without_a_close_ends_the_wait_for_connections_that_go_away)
{
    struct process p = user_with(OPTIONS("--fallback-delay", "300ms"));
    open_store(&p, "delete");
    run(&p, "t = later(time.sleep, 20)");
    run(&p, "d = sqlite3.connect(P); d.execute('select * from t').fetchall()");
    run(&p, "d.close()");
    long ms = run(&p, "os.listdir(D)");
    cr_expect_geq(ms, 200, "%ld ms", ms);
    cr_expect_lt(ms, 1000, "%ld ms", ms);
    expect_passes(&p, "os.listdir(D)"); /* there is no close within that time */
    kill(p.pid, SIGKILL);
    finish(&p);
}

Test(uses, an_open_by_the_engine_ends_the_wait_for_connections_that_go_away)
{
    struct process p = user_with(OPTIONS("--fallback-delay", "1500ms"));
    open_store(&p, "delete");
    run(&p, "d = sqlite3.connect(P); d.execute('select * from t').fetchall()");
    run(&p, "d.close()");
    run(&p, "t = later(lambda: (time.sleep(0.3), sqlite3.connect(P).execute('select * from t')))");
    long ms = run(&p, "os.listdir(D)");
    cr_expect_geq(ms, 200, "%ld ms", ms);
    cr_expect_lt(ms, 1000, "%ld ms", ms);
    user_ends(&p);
}

/* Also one that is closed again before the use looks, as of a program with a connection for each
 * request: opened here as SQLite opens, since it takes longer itself. */
Test(uses, so_does_one_that_is_closed_at_once)
{
    struct process p = user_with(OPTIONS("--fallback-delay", "1500ms"));
    open_store(&p, "delete");
    run(&p, "flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC");
    run(&p, "stop = threading.Event()");
    expect(&p, "exec('def request():\\n  while not stop.wait(0.05): os.close(os.open(P, flags))')",
           "None");
    run(&p, "os.close(os.open(P, flags)); t = later(request)");
    const long ms = run(&p, "os.listdir(D)");
    cr_expect_lt(ms, 800, "%ld ms", ms);
    run(&p, "stop.set(); t.join(); c.close()");
    user_ends(&p);
}

/* The journal that it opens and closes is no connection. */
Test(uses, a_transaction_does_not_end_it)
{
    struct process p = user_with(OPTIONS("--fallback-delay", "800ms"));
    run(&p, "c = sqlite3.connect(P, check_same_thread=False); c.execute('create table t(a)')");
    run(&p, "c.execute('pragma synchronous=off'); c.commit()");
    run(&p, "d = sqlite3.connect(P); d.execute('select * from t').fetchall()");
    run(&p, "d.close()");
    run(&p, "t = later(lambda: (time.sleep(0.1), c.execute('insert into t values (1)'), "
            "c.commit(), time.sleep(5)))");
    const long ms = run(&p, "os.listdir(D)");
    cr_expect_geq(ms, 600, "%ld ms", ms);
    kill_now(&p);
}

Test(uses, a_close_that_has_failed_is_none_under_way)
{
    struct process p = user();
    open_store(&p, "delete");
    run(&p, "e = os.open(P, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)");
    run(&p, "stop = threading.Event(); t = later(stop.wait)");
    run(&p, "os.dup2(999, e)");
    cr_expect_not_null(strstr(answer, "Bad file descriptor"), "%s", answer);
    expect_passes(&p, "os.listdir(D)");
    run(&p, "stop.set(); t.join(); os.close(e); c.close()");
    user_ends(&p);
}

/* --- what it asks by --- */

/* A descriptor that is opened and closed for the question would drop them. */
Test(uses, the_engines_locks_outlast_the_question_of_a_use)
{
    enum { SHARED_FIRST = 0x40000002 };
    struct process p = program();
    expect(&p, "close", "0");
    expect(&p, "sqlite wal", "0");
    cr_expect_eq(lock_owner(world.primary, SHARED_FIRST), p.pid);
    struct process holder = writer(250);
    expect_waits(&p, &holder, "list opendir");
    cr_expect_eq(lock_owner(world.primary, SHARED_FIRST), p.pid);
    user_ends(&p);
}
