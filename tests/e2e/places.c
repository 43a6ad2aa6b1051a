/* A path is not the file: stores whose path leads elsewhere, or nowhere, by the time they are
 * closed. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(places, .init = world_begin, .fini = world_end, .timeout = 120);

static const uint64_t soon = 400 * (uint64_t)MS; /* room for a busy machine */

/* Opens the store by a plain descriptor or as SQLite, does something, closes it: "took", ms. */
static const char program[] =
    "import ctypes, os, sqlite3, sys, time\n"
    "path, how, act = sys.argv[1:4]\n"
    "directory = os.path.dirname(path)\n"
    "if how == 'plain': fd = os.open(path, os.O_RDWR)\n"
    "else: c = sqlite3.connect(path, timeout=0); c.execute('select * from "
    "sqlite_master').fetchall()\n"
    "print('open', flush=True); sys.stdin.readline()\n"
    "if act == 'directory': os.rename(directory, directory + '-elsewhere')\n"
    "elif act == 'file': os.rename(path, directory + '/other.sqlite3')\n"
    "elif act == 'chroot': os.chroot(directory); os.chdir('/')\n"
    "elif act == 'mount':\n"
    "    libc = ctypes.CDLL(None, use_errno=True)\n"
    "    assert libc.unshare(0x20000) == 0\n"
    "    assert libc.mount(b'none', b'/', None, 0x44000, None) == 0\n"
    "    assert libc.mount(b'none', directory.encode(), b'tmpfs', 0, None) == 0\n"
    "elif act == 'setuid': os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    "t = time.monotonic()\n"
    "if how == 'plain': os.close(fd)\n"
    "else: c.close()\n"
    "print('took', round((time.monotonic() - t) * 1000), flush=True)\n";

static struct process start(const char *how, const char *act)
{
    char command[PATH_MAX + 64];
    snprintf(command, sizeof command, "sqlite3 '%s' 'create table if not exists t(a)'",
             world.primary);
    cr_assert_eq(system(command), 0);
    struct process p =
        strcmp(act, "chroot") == 0
            ? SHIMMED_WITH(OPTIONS("--log", "info"), "env", "-u", "SETTLE_LOG_FILE",
                           "/usr/bin/python3", "-c", program, world.primary, how, act)
            : SHIMMED_WITH(OPTIONS("--log", "info"), "/usr/bin/python3", "-c", program,
                           world.primary, how, act);
    await_line(&p, "open");
    return p;
}

static const char *const hows[] = {"plain", "sqlite"};

static void expect_wait(const char *how, const char *act)
{
    struct process p = start(how, act);
    struct process holder = hold("posix", world.primary, 700);
    send_line(&p, "close");
    await_line(&p, "took");
    uint64_t closed = now_ns();
    uint64_t released = released_at(&holder);
    cr_expect_geq(closed, released, "%s, %s", how, act);
    cr_expect_lt(closed, released + PROMPTLY, "%s, %s", how, act);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_count("File unlocked after polling"), 1, "%s, %s", how, act);
}

Test(places, a_file_that_was_renamed_while_a_descriptor_was_open_is_waited_for)
{
    expect_wait("plain", "file");
}

Test(places, a_file_that_was_renamed_while_a_connection_was_open_is_waited_for)
{
    expect_wait("sqlite", "file");
}

Test(places, a_directory_that_was_renamed_while_a_descriptor_was_open_is_waited_for)
{
    expect_wait("plain", "directory");
}

Test(places, a_directory_that_was_renamed_while_a_connection_was_open_is_waited_for)
{
    expect_wait("sqlite", "directory");
}

static bool is_root(void)
{
    if (geteuid() == 0)
        return true;
    cr_log_warn("SKIPPED: another root directory, namespace or user needs root");
    return false;
}

#define OUT_OF_REACH "chroma.sqlite3: cannot be examined (its path no longer leads to it from here"
#define HELD_THEN    "a fixed delay instead; when it was closed, held by POSIX write lock of pid "

/* Below another root the log's file is out of reach, too, so that log goes to standard error. */
static bool told(const struct process *p, const char *text)
{
    return log_has(text) || strstr(errors_of(p), text) != NULL;
}

static void expect_delay(const char *how, const char *act, const char *said)
{
    char text[32];
    struct process p = start(how, act);
    struct process holder = hold("posix", world.primary, 30000);
    send_line(&p, "close");
    long took = await_number(&p, "took");
    cr_expect_geq(took, 99, "%s after %s: %ld ms", how, act, took);
    cr_expect_lt(took, 99 + (long)(soon / MS), "%s after %s: %ld ms", how, act, took);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect(told(&p, said), "%s after %s", how, act);
    snprintf(text, sizeof text, "of pid %d", (int)holder.pid);
    cr_expect(told(&p, HELD_THEN), "%s after %s", how, act);
    cr_expect(told(&p, text), "%s after %s", how, act);
    cr_expect_eq(log_count("removed"), 0);
    kill(holder.pid, SIGKILL);
    finish(&holder);
    unlink(world.log);
}

Test(places, one_below_another_root_directory_costs_the_fixed_delay_and_a_warning)
{
    for (int i = 0; i < 2 && is_root(); i++)
        expect_delay(hows[i], "chroot", OUT_OF_REACH);
}

Test(places, one_in_another_mount_namespace_costs_the_fixed_delay_and_a_warning)
{
    for (int i = 0; i < 2 && is_root(); i++)
        expect_delay(hows[i], "mount", OUT_OF_REACH);
}

Test(places, one_that_may_not_be_read_any_more_costs_the_fixed_delay_and_names_the_holder)
{
    if (!is_root())
        return;
    cr_assert_eq(chmod(in_dir(".."), 0777), 0);
    cr_assert_eq(chmod(world.dir, 0777), 0);
    for (int i = 0; i < 2; i++) {
        int fd = open(world.log, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
        cr_assert_eq(fchmod(fd, 0666), 0);
        close(fd);
        cr_assert_eq(chmod(world.primary, 0600), 0);
        expect_delay(hows[i], "setuid", "chroma.sqlite3: cannot be examined (EACCES)");
    }
}

/* The descriptor knew. */
Test(places, one_out_of_reach_that_is_free_costs_nothing)
{
    static const char *const acts[] = {"chroot", "mount"};
    for (int i = 0; i < 4 && is_root(); i++) {
        struct process p = start(hows[i / 2], acts[i % 2]);
        send_line(&p, "close");
        cr_expect_lt(await_number(&p, "took"), 90, "%s after %s", hows[i / 2], acts[i % 2]);
        cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
        cr_expect(!told(&p, "warning: "));
    }
}
