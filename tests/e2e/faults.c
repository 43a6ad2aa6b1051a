/* What fails around a host: descriptors, memory, threads, watches, /proc, and system calls that a
 * filter refuses or kills for. Its result must be as without the library. */
#include "host.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

TestSuite(faults, .init = world_begin, .fini = world_end, .timeout = 300);

#define WRAPPED(...)    (&(const struct around){.wrapper = OPTIONS(__VA_ARGS__)})
#define INJECTED(fault) (&(const struct around){.inject = (fault)})
#define UNSHARED(how)   WRAPPED("unshare", "--mount", "sh", "-c", how " && exec \"$@\"", "sh")
#define LIMITED(limit)  PYTHON_HOST("tests/e2e/programs/limited.py", limit)

/* A filter that all processes of a container are under; one of a shell, which makes the host by
 * vfork; and one of the host alone. */
#define CONTAINER "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"
#define CHILD     "sh", "-c", "\"$@\"; exit $?", "sh"
#define FILTERED(syscall, action)                                                                  \
    WRAPPED(CONTAINER, "build/programs/filtered", syscall, action, "--", CHILD)
#define FILTERED_SHELL(syscall, action)                                                            \
    WRAPPED("build/programs/filtered", syscall, action, "--", CHILD)
#define FILTERED_ALONE(syscall, action) WRAPPED("build/programs/filtered", syscall, action, "--")

static void expect_of_all_hosts(const struct around *around, enum effect effect, const char *said)
{
    for (int i = 0; i < HOSTS; i++)
        expect_same_result(&hosts[i], around, effect, said);
}

static bool is_root(const char *what)
{
    if (geteuid() == 0)
        return true;
    cr_log_warn("SKIPPED: %s needs root", what);
    return false;
}

/* --- descriptors --- */

Test(faults, a_full_descriptor_table_keeps_no_close_from_waiting)
{
    expect_same_result(LIMITED("full-table"), WRAPPED("env"), WAITS, NULL);
}

/* As OpenSSH limits its children: no second descriptor, so no watch beside the probe. */
Test(faults, a_limit_of_one_descriptor_keeps_no_close_from_waiting)
{
    expect_same_result(LIMITED("one-descriptor"), WRAPPED("env"), WAITS, NULL);
}

Test(faults, a_limit_of_no_descriptor_costs_the_fixed_delay)
{
    expect_same_result(LIMITED("no-descriptor"), WRAPPED("env"), DELAYS, "EMFILE");
}

Test(faults, a_full_file_table_of_the_system_costs_the_fixed_delay)
{
    expect_of_all_hosts(INJECTED("openat:error=ENFILE"), DELAYS, "ENFILE");
}

/* --- memory, threads, watches --- */

Test(faults, a_lack_of_memory_costs_the_fixed_delay)
{
    expect_same_result(LIMITED("no-memory"), WRAPPED("env"), DELAYS, "ENOMEM");
    /* not the shell: it has closed the store once before, and what was mapped then is kept */
    expect_same_result(&hosts[PYTHON], INJECTED("mmap:error=ENOMEM"), DELAYS, "ENOMEM");
    expect_same_result(&hosts[PERL], INJECTED("mmap:error=ENOMEM"), DELAYS, "ENOMEM");
    expect_of_all_hosts(INJECTED("clone:error=ENOMEM"), DELAYS, "ENOMEM");
}

Test(faults, a_thread_that_is_refused_costs_the_fixed_delay)
{
    expect_of_all_hosts(INJECTED("clone:error=EAGAIN"), DELAYS, "EAGAIN");
    if (!is_root("a process of another user"))
        return;
    open_world();
    expect_same_result(
        LIMITED("no-thread"),
        WRAPPED("setpriv", "--clear-groups", "--regid", ordinary_user, "--reuid", ordinary_user),
        DELAYS, "EAGAIN");
}

Test(faults, watches_that_are_refused_keep_no_close_from_waiting)
{
    expect_of_all_hosts(INJECTED("inotify_init1:error=EMFILE"), WAITS, NULL);
    expect_of_all_hosts(INJECTED("inotify_add_watch:error=ENOSPC"), WAITS, NULL);
}

Test(faults, sleeps_that_are_refused_keep_no_close_from_waiting)
{
    expect_of_all_hosts(INJECTED("futex:error=ENOSYS"), WAITS, NULL);
    expect_of_all_hosts(INJECTED("ppoll:error=ENOSYS"), WAITS, NULL);
}

/* --- mounts --- */

Test(faults, without_proc_a_close_waits)
{
    if (is_root("a mount"))
        expect_of_all_hosts(UNSHARED("umount -l /proc"), WAITS, NULL);
}

Test(faults, without_proc_a_relative_name_costs_the_fixed_delay)
{
    static const char program[] = "import os, sys\n"
                                  "os.chdir(os.path.dirname(sys.argv[1]))\n"
                                  "fd = os.open(os.path.basename(sys.argv[1]), os.O_RDWR)\n"
                                  "print('open', flush=True)\n"
                                  "sys.stdin.readline()\n"
                                  "os.close(fd)\n"
                                  "print('closed', flush=True)\n";
    if (is_root("a mount"))
        expect_same_result(PYTHON_HOST("-c", program), UNSHARED("umount -l /proc"), DELAYS,
                           "cannot be determined");
}

Test(faults, on_a_read_only_root_a_close_waits)
{
    static const char program[] = "import sqlite3, sys\n"
                                  "connection = sqlite3.connect(sys.argv[1])\n"
                                  "print(connection.execute('select * from t').fetchall())\n"
                                  "print('open', flush=True)\n"
                                  "sys.stdin.readline()\n"
                                  "try: connection.execute('insert into t values (2)')\n"
                                  "except sqlite3.OperationalError as error: print(error)\n"
                                  "connection.close()\n"
                                  "print('closed', flush=True)\n";
    if (!is_root("a mount"))
        return;
    struct process p = PLAIN("/usr/bin/sqlite3", world.primary, "create table t(a)");
    cr_assert_eq(finish(&p), 0, "%s", errors_of(&p));
    expect_same_result(PYTHON_HOST("-c", program), UNSHARED("mount -o remount,bind,ro /"), WAITS,
                       NULL);
}

/* --- seccomp filters that are there at start --- */

Test(faults, a_filter_that_refuses_close_range_costs_the_fixed_delay)
{
    expect_of_all_hosts(FILTERED("close_range", "eperm"), DELAYS, "EPERM");
    expect_of_all_hosts(FILTERED("close_range", "enosys"), DELAYS, "ENOSYS");
}

Test(faults, a_filter_that_kills_for_close_range_costs_the_fixed_delay)
{
    expect_of_all_hosts(FILTERED("close_range", "kill-thread"), DELAYS, "kills for it");
    expect_of_all_hosts(FILTERED("close_range", "kill-process"), DELAYS, "kills for it");
    expect_of_all_hosts(FILTERED("close_range", "trap"), DELAYS, "kills for it");
}

Test(faults, a_filter_that_refuses_inotify_keeps_no_close_from_waiting)
{
    expect_of_all_hosts(FILTERED("inotify_init1", "eperm"), WAITS, NULL);
    expect_of_all_hosts(FILTERED("inotify_init1", "enosys"), WAITS, NULL);
}

Test(faults, a_filter_that_kills_for_inotify_costs_the_fixed_delay)
{
    expect_of_all_hosts(FILTERED("inotify_init1", "kill-thread"), DELAYS, "kills for it");
    expect_of_all_hosts(FILTERED("inotify_init1", "kill-process"), DELAYS, "kills for it");
    expect_of_all_hosts(FILTERED("inotify_init1", "trap"), DELAYS, "kills for it");
}

Test(faults, a_filter_that_refuses_or_kills_for_clone_costs_the_fixed_delay)
{
    static const char *const actions[] = {"eperm", "enosys", "kill-thread", "kill-process", "trap"};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        expect_of_all_hosts(FILTERED_ALONE("clone", actions[i]), DELAYS, "clone");
}

Test(faults, a_filter_of_other_calls_costs_the_fixed_delay_where_nothing_shows_that_clone_passes)
{
    expect_of_all_hosts(FILTERED_ALONE("acct", "kill-process"), DELAYS, "clone");
    expect_of_all_hosts(FILTERED("acct", "kill-process"), WAITS, NULL);
}

static const char threaded[] =
    "import sqlite3, sys, threading\n"
    "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    "connection = sqlite3.connect(sys.argv[1])\n"
    "connection.execute('create table if not exists t(a)')\n"
    "print('open', flush=True)\n"
    "sys.stdin.readline()\n"
    "connection.close()\n"
    "print('closed', flush=True)\n";

Test(faults, a_thread_shows_that_clone_passes)
{
    expect_same_result(PYTHON_HOST("-c", threaded), FILTERED_ALONE("acct", "kill-process"), WAITS,
                       NULL);
}

/* glibc makes threads with clone3, where the kernel has it. */
Test(faults, a_thread_made_by_clone3_does_not_lead_to_a_clone_that_kills)
{
    expect_same_result(PYTHON_HOST("-c", threaded), FILTERED_ALONE("clone", "kill-process"), LIVES,
                       NULL);
}

/* dash and Python's subprocess make children with vfork, a system call of its own on x86-64. */
#ifdef __x86_64__
Test(faults, a_parent_that_uses_vfork_does_not_lead_to_a_clone_that_kills)
{
    for (int i = 0; i < HOSTS; i++)
        expect_same_result(&hosts[i], FILTERED_SHELL("clone", "kill-process"), LIVES, NULL);
}
#endif

Test(faults, the_library_is_off_under_a_filter_that_refuses_madvise)
{
    expect_of_all_hosts(FILTERED("madvise", "eperm"), PASSES, "off: ");
}

/* The helper is a process there, and the kernel gives a signal to one that it kills. */
Test(faults, under_a_filter_the_helper_leaves_no_child_and_no_handler_behind)
{
    const struct host *after = PYTHON_HOST("tests/e2e/programs/after.py");
    expect_same_result(after, FILTERED("acct", "kill-process"), WAITS, NULL);
    expect_same_result(after, FILTERED("close_range", "kill-process"), DELAYS, "kills for it");
    expect_same_result(after, FILTERED("close_range", "trap"), DELAYS, "kills for it");
}

/* --- seccomp filters that the host puts on itself --- */

static const char *const info[] = {"SETTLE_LOG=info", NULL};
static const char steps_aside[] = "the program filters its own system calls";

static void expect_passes_filtered_by(const char *way, const char *syscall, const char *action)
{
    expect_same_result(PYTHON_HOST("tests/e2e/programs/self_filtered.py", way, syscall, action),
                       &(const struct around){.settings = info}, PASSES, steps_aside);
}

Test(faults, after_a_filter_of_its_own_a_hosts_close_passes_through)
{
    static const char *const ways[] = {"prctl", "seccomp", "syscall-prctl"};
    static const char *const syscalls[] = {"clone", "close_range", "inotify_init1"};
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++)
            expect_passes_filtered_by(ways[i], syscalls[j], "kill");
    expect_passes_filtered_by("prctl", "clone", "eperm");
}

Test(faults, a_second_filter_that_is_refused_leaves_the_first_in_force)
{
    expect_passes_filtered_by("again", "clone", "kill");
}

Test(faults, after_a_filter_by_libseccomp_a_hosts_close_passes_through)
{
    static const char program[] = "import seccomp, sqlite3, sys\n"
                                  "connection = sqlite3.connect(sys.argv[1])\n"
                                  "connection.execute('create table if not exists t(a)')\n"
                                  "print('open', flush=True)\n"
                                  "sys.stdin.readline()\n"
                                  "f = seccomp.SyscallFilter(seccomp.ALLOW)\n"
                                  "for name in ('clone', 'clone3', 'close_range', 'madvise'):\n"
                                  "    f.add_rule(seccomp.KILL_PROCESS, name)\n"
                                  "f.load()\n"
                                  "connection.close()\n"
                                  "print('closed', flush=True)\n";
    expect_same_result(PYTHON_HOST("-c", program), &(const struct around){.settings = info}, PASSES,
                       steps_aside);
}

/* The names of its system calls from there on, one a line. */
static void trace_permitted(const char *preload_list, const char *calls)
{
    char script[2 * PATH_MAX];
    snprintf(script, sizeof script,
             "strace -qq -o \"$2-raw\" -E '%s' -E SETTLE_LOG=debug build/programs/permitted "
             "\"$1\"; test $? = 7 && "
             "sed -n '/\"filtered\"/,/\"ended\"/s/^\\([a-z0-9_]*\\)(.*/\\1/p' \"$2-raw\" >\"$2\"",
             preload_list);
    struct process p = PLAIN("sh", "-c", script, "sh", world.primary, calls);
    cr_assert_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* No hook makes a system call of its own for which a filter may kill. */
Test(faults, after_a_filter_of_its_own_a_program_makes_the_calls_that_it_makes_without)
{
    char plain[PATH_MAX + 8], shimmed[PATH_MAX + 8];
    snprintf(plain, sizeof plain, "%s.plain", world.log);
    snprintf(shimmed, sizeof shimmed, "%s.shimmed", world.log);
    static const char fill[] = "sqlite3 \"$1\" 'create table t(a)'";
    struct process filled = PLAIN("sh", "-c", fill, "sh", world.primary);
    cr_assert_eq(finish(&filled), 0);
    trace_permitted("LC_ALL=C", plain);
    trace_permitted(preload(NULL, library_path()), shimmed);
    struct process differ =
        PLAIN("sh", "-c",
              "test $(wc -l <\"$1\") -gt 100 && diff \"$1\" \"$2\" >&2; "
              "result=$?; rm -f \"$1\" \"$2\" \"$1-raw\" \"$2-raw\"; exit $result",
              "sh", plain, shimmed);
    cr_expect_eq(finish(&differ), 0, "%s", errors_of(&differ));
}

/* A close that waits on another thread is over before the filter is there. */
Test(faults, a_filter_for_all_threads_kills_nobody_for_a_wait_on_another)
{
    expect_same_result(C_HOST("build/programs/synced"), WRAPPED("env"), LIVES, NULL);
}

Test(faults, in_strict_mode_a_host_lives_and_dies_as_without_the_library)
{
    const struct around around = {.settings = info};
    const struct host lives = {"strict", {"build/programs/strict"}, NULL, "end"};
    const struct host dies = {"strict close", {"build/programs/strict", "close"}, NULL, "close"};
    expect_same_result(&lives, &around, PASSES, steps_aside);
    expect_same_result(&dies, &around, PASSES, steps_aside);
}

Test(faults, a_host_that_may_not_read_the_clock_without_a_system_call_waits)
{
    const struct host host = {"strict clock", {"build/programs/strict", "clock"}, NULL, "close"};
    expect_same_result(&host, WRAPPED("env"), WAITS, NULL);
}

Test(faults, a_filter_of_a_vfork_child_is_none_of_its_parent)
{
    const struct host host = {"vfork_filtered", {"build/programs/vfork_filtered"}, NULL, "close"};
    expect_same_result(&host, WRAPPED("env"), WAITS, NULL);
}

/* --- Docker --- */

#define DOCKER                                                                                     \
    "/usr/bin/python3", "tests/e2e/programs/docker_filtered.py", "build/docker/default.json"

Test(faults, under_dockers_profile_the_first_process_of_a_container_waits)
{
    if (is_root("a pid namespace"))
        expect_of_all_hosts(WRAPPED(CONTAINER, DOCKER), WAITS, NULL);
}

Test(faults, under_dockers_profile_a_child_of_a_containers_process_waits)
{
    if (is_root("a seccomp filter without no_new_privs"))
        expect_of_all_hosts(WRAPPED(CONTAINER, DOCKER, CHILD), WAITS, NULL);
}
