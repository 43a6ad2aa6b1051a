/* Several SQLites in one process: each call reaches the one that it reaches without the library, in
 * whatever order things are loaded, used and unloaded. */
#include "e2e.h"
#include "host.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

TestSuite(scopes, .init = world_begin, .fini = world_end, .timeout = 300);

static const char *const libraries[] = {
    "scope-1",       "scope-2",        "scope-own-now", "scope-own-lazy",
    "scope-one-now", "scope-one-lazy", "scope-two-now", "scope-two-lazy",
    "scope-none",    "scope-root-1",   "scope-root-2",  "scope-extension",
};
enum { LIBRARIES = sizeof libraries / sizeof libraries[0], LINES = 40 };

static const char *path_of(unsigned library)
{
    static char path[PATH_MAX];
    char *top = realpath(".", NULL);
    snprintf(path, sizeof path, "%s/build/libraries/%s.so", top, libraries[library]);
    free(top);
    return path;
}

static unsigned dice(unsigned *state, unsigned sides)
{
    *state = *state * 1103515245u + 12345u;
    return (*state >> 16) % sides;
}

/* The slot of a library is its number, so that lines are seldom for nothing. The extension is given
 * to one SQLite alone: it has one table, so that of a second would get the first one's connections,
 * too. The hooks' addresses stand in both tables, and do not tell by which of them it calls. */
static void write_line(FILE *lines, unsigned giver, unsigned *state)
{
    unsigned library = dice(state, LIBRARIES);
    switch (dice(state, 9)) {
    case 0:
    case 1:
    case 2:
        fprintf(lines, "load %u %s %s\n", library, path_of(library),
                dice(state, 3) == 0 ? "global" : "local");
        break;
    case 3:
        fprintf(lines, "unload %u\n", library);
        break;
    case 4:
        fprintf(lines, "give %u %s\n", giver, path_of(LIBRARIES - 1));
        break;
    case 5:
    case 6:
        fprintf(lines, "open %u %u\nexec %u\n", library, dice(state, 3), library);
        break;
    case 7:
        fprintf(lines, "exec %u\n", library);
        break;
    default:
        fprintf(lines, "close %u %u\n", library, dice(state, 2));
    }
}

static const char *write_lines(unsigned seed)
{
    const char *path = in_dir("lines");
    FILE *lines = fopen(path, "w");
    cr_assert_not_null(lines);
    const unsigned giver = seed % 4;
    for (int i = 0; i < LINES; i++)
        write_line(lines, giver, &seed);
    fclose(lines);
    return path;
}

static struct result run(const char *program, const char *lines, const char *disable)
{
    char preloaded[PATH_MAX];
    snprintf(preloaded, sizeof preloaded, "LD_PRELOAD=%s", disable == NULL ? "" : library_path());
    struct process p = PLAIN("env", preloaded, disable == NULL ? "X=" : disable, program, lines);
    return result_of(&p);
}

/* Whether a connection came into the hands of another SQLite than made it: with a real one, the
 * process would have crashed. The library closes a connection by the copy that opened it. */
static bool is_mixed(const char *out)
{
    int called, made;
    for (const char *at = out; (at = strstr(at, " in ")) != NULL; at++)
        if (sscanf(at, " in %d of one made in %d", &called, &made) == 2 && called != made)
            return true;
    return false;
}

/* False where the process harms itself, or ends since a library without SQLite found none. */
static bool compare(const char *program, const char *lines, const char *name)
{
    struct result plain = run(program, lines, NULL);
    if (plain.status != 0 || is_mixed(plain.out))
        return false;
    struct result shimmed = run(program, lines, "SETTLE_DISABLE=0");
    expect_equal(name, &plain, &shimmed);
    struct result disabled = run(program, lines, "SETTLE_DISABLE=1");
    expect_equal(name, &plain, &disabled);
    return true;
}

Test(scopes, each_call_reaches_the_sqlite_that_it_reaches_without_the_library)
{
    const char *given = getenv("SEED");
    unsigned first = given != NULL ? (unsigned)atoi(given) : (unsigned)time(NULL);
    const unsigned rounds = given != NULL ? 1 : 150;
    unsigned compared = 0;
    for (unsigned i = 0; i < rounds; i++) {
        char name[64];
        snprintf(name, sizeof name, "SEED=%u", first + i);
        const char *lines = write_lines(first + i);
        compared += compare("build/programs/scopes", lines, name);
        compared += compare("build/programs/scopes-linked", lines, name);
    }
    cr_expect_geq(compared, rounds, "of %u processes only %u ran to their end", 2 * rounds,
                  compared);
}

/* The case from which the rest was learned. */
Test(scopes, a_module_keeps_its_own_sqlite_when_another_is_loaded_for_all)
{
    const char *path = in_dir("lines");
    FILE *lines = fopen(path, "w");
    fprintf(lines, "load 2 %s local\n", path_of(2));
    fprintf(lines, "load 0 %s global\nopen 2 0\nexec 2\nclose 2 0\n", path_of(0));
    fclose(lines);
    cr_expect(compare("build/programs/scopes", path, "bound, then loaded"));
}
