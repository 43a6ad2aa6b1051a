/* Programs that the library cannot or must not serve: with somebody else's privileges, without a
 * dynamic linker, with another libc. */
#include "host.h"

#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(foreign, .init = world_begin, .fini = world_end, .timeout = 300);

#define AS_ORDINARY_USER                                                                           \
    "setpriv", "--clear-groups", "--regid", ordinary_user, "--reuid", ordinary_user

static const char *const ways[] = {"close", "fclose", "dup2", "thread"};
enum { WAYS = sizeof ways / sizeof ways[0] };

/* Settings that would show. */
static const char *const talkative[] = {"SETTLE_LOG=debug", "SETTLE_MAX_FILES=many", NULL};

static void run_shell(const char *script)
{
    struct process p = PLAIN("sh", "-c", script, "sh", in_dir(".."));
    cr_assert_eq(finish(&p), 0, "%s: %s", script, errors_of(&p));
}

/* A program of the world's own, which an ordinary user may run. */
static const char *privileged_program(const char *how)
{
    open_world();
    run_shell("cp build/programs/plain \"$1\"/privileged");
    run_shell(how);
    return in_dir("../privileged");
}

static bool is_root(void)
{
    if (geteuid() != 0)
        cr_log_warn("SKIPPED: a program with privileges needs root");
    return geteuid() == 0;
}

static void expect_no_effect(const struct host *host, const char *const *wrapper,
                             const char *library)
{
    const struct around around = {.wrapper = wrapper, .settings = talkative, .library = library};
    expect_same_result(host, &around, PASSES, NULL);
}

/* --- AT_SECURE --- */

Test(foreign, a_set_user_id_program_runs_as_without_the_library)
{
    if (!is_root())
        return;
    const char *program = privileged_program("chmod 4755 \"$1\"/privileged");
    expect_no_effect(C_HOST(program, "secure"), OPTIONS(AS_ORDINARY_USER), NULL);
}

Test(foreign, a_program_with_file_capabilities_runs_as_without_the_library)
{
    if (!is_root())
        return;
    const char *program = privileged_program("setcap cap_net_raw+ep \"$1\"/privileged");
    expect_no_effect(C_HOST(program, "secure"), OPTIONS(AS_ORDINARY_USER), NULL);
}

/* There the dynamic linker preloads only what is in the system's directories and has the
 * set-user-ID bit itself (ld.so(8)). */
Test(foreign, a_set_user_id_program_that_loads_the_library_runs_as_without_it)
{
    static const char installed[] =
        "directory=$(dirname \"$(ldconfig -p | sed -n 's/.*libc\\.so\\.6 .*=> //p' | head -n "
        "1)\")\n"
        "mkdir -p \"$0\"/../upper\n"
        "mount -t tmpfs none \"$0\"/../upper\n"
        "mkdir \"$0\"/../upper/files \"$0\"/../upper/work\n"
        "mount -t overlay none -o "
        "\"lowerdir=$directory,upperdir=$0/../upper/files,workdir=$0/../upper/work\" "
        "\"$directory\"\n"
        "cp build/libsettle.so \"$directory\" && chmod 4755 \"$directory\"/libsettle.so &&\n"
        "exec \"$@\"";
    if (!is_root())
        return;
    const char *program = privileged_program("chmod 4755 \"$1\"/privileged");
    const char *const wrapper[] = {"unshare", "--mount",        "sh", "-c", installed,
                                   world.dir, AS_ORDINARY_USER, NULL};
    struct process p =
        PLAIN("unshare", "--mount", "sh", "-c", installed, world.dir, AS_ORDINARY_USER, "env",
              "LD_PRELOAD=libsettle.so", program, "loaded", world.primary);
    cr_expect_eq(finish(&p), 7, "it is not loaded: %s", errors_of(&p));
    expect_no_effect(C_HOST(program, "secure"), wrapper, "libsettle.so");
}

/* --- statically linked --- */

Test(foreign, a_static_program_runs_as_without_the_library)
{
    for (int i = 0; i < WAYS; i++) {
        expect_no_effect(C_HOST("build/programs/plain-static", ways[i]), NULL, NULL);
        expect_no_effect(C_HOST("build/programs/plain-musl-static", ways[i]), NULL, NULL);
    }
}

/* --- the other libc --- */

Test(foreign, closes_of_a_program_of_the_other_libc_wait)
{
    for (int i = 0; i < WAYS; i++)
        expect_same_result(C_HOST("build/programs/plain-musl", ways[i]), &(const struct around){0},
                           WAITS, NULL);
}

Test(foreign, a_module_of_the_other_libc_closes_by_its_own_sqlite)
{
    expect_same_result(
        C_HOST("build/programs/modules-musl", "reload", "build/libraries/connection-musl.so"),
        &(const struct around){0}, WAITS, NULL);
}
