/* What the library takes of the program's own resources: memory that may be locked, and stack. */
#include "e2e.h"
#include "host.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(resources, .init = world_begin, .fini = world_end, .timeout = 60);

/* The usual limit of locked memory holds for ordinary users. */
static struct result memory_of(const char *name, const char *how, const char *library)
{
    char preloaded[PATH_MAX];
    snprintf(preloaded, sizeof preloaded, "LD_PRELOAD=%s", library);
    struct process p =
        geteuid() != 0 ? PLAIN("env", preloaded, "build/programs/memory", name, how)
                       : PLAIN("setpriv", "--clear-groups", "--regid", ordinary_user, "--reuid",
                               ordinary_user, "env", preloaded, "build/programs/memory", name, how);
    return result_of(&p);
}

static long resident(const struct result *r)
{
    const char *found = strstr(r->out, "resident ");
    cr_assert_not_null(found, "%s%s", r->out, r->err);
    return atol(found + strlen("resident "));
}

static void expect_little_memory(const char *name, const char *how, long most_kb)
{
    struct result plain = memory_of(name, how, "");
    struct result shimmed = memory_of(name, how, library_path());
    cr_expect_eq(shimmed.status, 0, "%s", shimmed.err);
    const char *expected = "locked 0 \nclosed 0\n";
    cr_expect_eq(strncmp(plain.out, expected, strlen(expected)), 0, "%s", plain.out);
    cr_expect_eq(strncmp(shimmed.out, expected, strlen(expected)), 0, "%s", shimmed.out);
    cr_expect_leq(resident(&shimmed) - resident(&plain), most_kb, "%ld kB, without it %ld",
                  resident(&shimmed), resident(&plain));
}

Test(resources, all_memory_can_be_locked_under_the_usual_limit)
{
    open_world();
    expect_little_memory(world.primary, "locked", 1024);
}

Test(resources, a_process_without_a_store_has_little_more_memory_locked_or_not)
{
    open_world();
    expect_little_memory(in_dir("other"), "locked", 300);
    expect_little_memory(in_dir("other"), NULL, 300);
}
