/* The last close of a store that nobody holds asks where it is, by the closing descriptor itself:
 * no watch sees it. make cells holds what it answers against what a helper answers. */
#include "e2e.h"

#include <criterion/criterion.h>

TestSuite(in_place, .init = world_begin, .fini = world_end, .timeout = 60);

/* The line for the log at info would have a helper do it, which tells more. */
static void expect_closes(const char *how, int closes)
{
    char line[80];
    char expected[80];
    struct process p =
        SHIMMED_WITH(OPTIONS("--log", "warn"), "build/programs/watched", world.primary, how);
    snprintf(expected, sizeof expected, "closes %d reads 0\n", closes);
    cr_assert(read_line(&p, line, sizeof line), "%s", how);
    cr_expect_str_eq(line, expected, "%s", how);
    cr_expect_eq(finish(&p), 0, "%s", how);
}

Test(in_place, a_watch_sees_no_event_of_ours_on_a_free_store)
{
    static const char *const ways[] = {"alone", "thread", "stream", "stream thread"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        expect_closes(ways[i], 1);
}

/* What a child or a mapping may share is not tried for. */
Test(in_place, a_descriptor_that_somebody_may_share_is_left_alone)
{
    static const char *const ways[] = {"child", "child thread", "flock", "flock thread"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        expect_closes(ways[i], 2);
}

Test(in_place, what_has_to_be_told_is_asked_by_a_helper)
{
    char line[80];
    struct process p = SHIMMED("build/programs/watched", world.primary, "alone");
    cr_assert(read_line(&p, line, sizeof line));
    cr_expect_str_eq(line, "closes 2 reads 0\n");
    cr_expect_eq(finish(&p), 0);
    cr_expect_eq(log_count("unlocked at once"), 1);
}
