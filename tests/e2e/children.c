/* SETTLE_CHILDREN=off, settle --no-children: only the program that was started is under the
 * library. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(children, .init = world_begin, .fini = world_end, .timeout = 60);

/* What a script prints, whole. The script finds the checkout in $ROOT, the world in $1. */
static const char *said_by(const char *script)
{
    static char said[65536];
    char line[4096];
    struct process p = PLAIN("sh", "-c", "ROOT=$PWD; export ROOT; exec sh -c \"$2\" sh \"$1\"",
                             "sh", world.dir, script);
    said[0] = '\0';
    while (read_line(&p, line, sizeof line))
        strncat(said, line, sizeof said - strlen(said) - 1);
    cr_expect_eq(finish(&p), 0, "%s: %s", script, errors_of(&p));
    return said;
}

/* A shell reorders what it exports, and says of itself how deep it is. */
#define ITS_ENVIRONMENT "sh -c 'env; :' | grep -v -e ^_= -e ^SHLVL= -e ^OLDPWD= | LC_ALL=C sort"

static void expect_same_environment(const char *before, const char *launch)
{
    char script[2048];
    snprintf(script, sizeof script, "%s %s", before, ITS_ENVIRONMENT);
    char *without = strdup(said_by(script));
    snprintf(script, sizeof script, "%s %s %s", before, launch, ITS_ENVIRONMENT);
    cr_expect_str_eq(said_by(script), without, "%s", launch);
    cr_expect_not_null(strstr(without, "PATH="));
    free(without);
}

#define LAUNCH                                                                                     \
    "\"$ROOT/scripts/settle\" --no-children --log off --max-wait 1 --dir /d --rule '/x: name=x' "  \
    "--record /dev/null"

Test(children, get_the_environment_that_they_would_have_had)
{
    expect_same_environment("", LAUNCH);
    expect_same_environment("export LD_PRELOAD=;", LAUNCH);
    expect_same_environment("cp \"$ROOT/build/libraries/counter.so\" \"$1/..\"; "
                            "export LD_PRELOAD=$1/../counter.so;",
                            LAUNCH);
    expect_same_environment(
        "export SETTLE_LOG=off SETTLE_MAX_WAIT=\"it's \\\"7\\\" \" SETTLE_DIRS='/a b' "
        "SETTLE_LIBRARY=$ROOT/build/../build/libsettle.so SETTLE_X='a\nb';",
        LAUNCH);
    expect_same_environment("export SETTLE_CHILDREN=off SETTLE_LOG=off;",
                            "\"$ROOT/scripts/settle\"");
    expect_same_environment("", LAUNCH " --after");
}

/* Nobody knows what was there before. */
Test(children, where_no_launcher_was_lose_the_library_and_its_settings)
{
    static const char *const lists[][2] = {
        {"$ROOT/build/libsettle.so", ""},
        {"$ROOT/build/libsettle.so:$1/../counter.so", "LD_PRELOAD=$1/../counter.so"},
        {"$1/../counter.so  $ROOT/build/libsettle.so", "LD_PRELOAD=$1/../counter.so"},
        {"$1/../counter.so:$ROOT/build/libsettle.so:$1/../numbers.so",
         "LD_PRELOAD=$1/../counter.so:$1/../numbers.so"},
    };
    said_by(
        "cp \"$ROOT/build/libraries/counter.so\" \"$ROOT/build/libraries/numbers.so\" \"$1/..\"");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        char script[2048];
        snprintf(script, sizeof script,
                 "LD_PRELOAD=\"%s\" SETTLE_CHILDREN=off SETTLE_LOG=off "
                 "sh -c 'env | grep -e ^LD_PRELOAD -e ^SETTLE_; :'; echo \"%s\" | sed '/^$/d'",
                 lists[i][0], lists[i][1]);
        const char *said = said_by(script);
        size_t half = strlen(said) / 2;
        cr_expect(strncmp(said, said + half, half) == 0 && strlen(said) == 2 * half, "%s: %s",
                  lists[i][0], said);
    }
}

Test(children, are_not_under_the_library_and_the_program_is)
{
    const char *said =
        said_by("\"$ROOT/scripts/settle\" --no-children sh -c '"
                "grep -c libsettle /proc/$$/maps; grep -c libsettle /proc/self/maps; :'");
    cr_expect(atoi(said) > 0, "%s", said);
    cr_expect_str_eq(strchr(said, '\n'), "\n0\n");

    struct process p = SHIMMED_WITH(OPTIONS("--no-children"), "build/programs/stepper");
    say(&p, "open a -", world.primary);
    struct process holder = hold("posix", world.primary, 300);
    step(&p, "close a");
    cr_expect_eq(log_count("File unlocked after polling"), 1);
    released_at(&holder);
    cr_expect_eq(finish(&p), 0);
}

/* Such a script is no child of what its first line names. */
Test(children, are_not_what_env_becomes)
{
    const char *said =
        said_by("printf '#!/usr/bin/env sh\\ngrep -c libsettle /proc/$$/maps\\n"
                "grep -c libsettle /proc/self/maps; :\\n' >\"$1/script\"; chmod +x \"$1/script\"; "
                "\"$ROOT/scripts/settle\" --no-children \"$1/script\"");
    cr_expect(atoi(said) > 0, "%s", said);
    cr_expect_str_eq(strchr(said, '\n'), "\n0\n");
}

Test(children, are_under_the_library_by_default)
{
    const char *said =
        said_by("\"$ROOT/scripts/settle\" sh -c 'grep -c libsettle /proc/self/maps; :'");
    cr_expect(atoi(said) > 0, "%s", said);
}
