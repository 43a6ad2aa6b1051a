/* Which descriptors a system call closes, by its arguments. */
#include "supervise/range.h"

#include "unit.h"

#include <sys/resource.h>

TestSuite(range, .timeout = 10);

static struct range range;

/* Of this process. */
static bool closes(int number, uint64_t a, uint64_t b, uint64_t c)
{
    const struct seccomp_notif call = {.pid = (unsigned)getpid(),
                                       .data = {.nr = number, .args = {a, b, c}}};
    range = (struct range){-7, -7};
    return range_of(&call, &range);
}

#define EXPECT_RANGE(from, to)                                                                     \
    do {                                                                                           \
        cr_expect_eq(range.first, from);                                                           \
        cr_expect_eq(range.last, to);                                                              \
    } while (0)

Test(range, a_close_closes_one)
{
    cr_expect(closes(SYS_close, 5, 0, 0));
    EXPECT_RANGE(5, 5);
    cr_expect(closes(SYS_close, (1ull << 32) | 5, 0, 0), "the kernel takes an int");
    EXPECT_RANGE(5, 5);
    cr_expect_not(closes(SYS_close, (uint64_t)-1, 0, 0));
}

Test(range, a_duplicate_closes_what_it_takes_the_place_of)
{
    cr_expect(closes(SYS_dup3, 0, 9, 0));
    EXPECT_RANGE(9, 9);
    cr_expect(closes(SYS_dup3, 0, 9, O_CLOEXEC));
#ifdef SYS_dup2
    cr_expect(closes(SYS_dup2, 0, 9, 77), "it has no third argument");
    EXPECT_RANGE(9, 9);
#endif
}

Test(range, a_duplicate_that_fails_closes_nothing)
{
    const struct rlimit limit = {32, 32};
    close(20);
    cr_expect_not(closes(SYS_dup3, 20, 9, 0), "it is not open");
    cr_expect_not(closes(SYS_dup3, (uint64_t)-1, 9, 0));
    cr_expect_not(closes(SYS_dup3, 0, (uint64_t)-1, 0));
    cr_expect_not(closes(SYS_dup3, 0, 0, 0), "the same");
    cr_expect_not(closes(SYS_dup3, 0, 9, O_APPEND), "a flag that it has not");
    cr_expect(closes(SYS_dup3, 0, 32, 0));
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_not(closes(SYS_dup3, 0, 32, 0), "beyond the limit");
    cr_expect(closes(SYS_dup3, 0, 31, 0));
#ifdef SYS_dup2
    cr_expect_not(closes(SYS_dup2, 0, 0, 0), "the same: it does nothing");
    cr_expect_not(closes(SYS_dup2, 20, 9, 0));
    cr_expect_not(closes(SYS_dup2, 0, 32, 0));
#endif
}

Test(range, a_range_ends_where_descriptors_do)
{
    cr_expect(closes(SYS_close_range, 3, 8, 0));
    EXPECT_RANGE(3, 8);
    cr_expect(closes(SYS_close_range, 3, ~0u, 0));
    EXPECT_RANGE(3, INT_MAX);
}

Test(range, a_range_that_leaves_the_table_alone_closes_nothing)
{
    cr_expect_not(closes(SYS_close_range, 8, 3, 0), "it fails");
    cr_expect_not(closes(SYS_close_range, 3, 8, CLOSE_RANGE_CLOEXEC));
    cr_expect_not(closes(SYS_close_range, 3, 8, CLOSE_RANGE_UNSHARE), "a copy loses them");
    cr_expect_not(closes(SYS_close_range, 3, 8, 1u << 7));
}

Test(range, other_calls_close_nothing)
{
    const struct seccomp_notif end = {.data = {.nr = SYS_exit_group}};
    const struct seccomp_notif close = {.data = {.nr = SYS_close}};
    cr_expect_not(closes(SYS_exit_group, 3, 8, 0));
    cr_expect_not(closes(SYS_read, 3, 8, 0));
    cr_expect(range_is_exit(&end));
    cr_expect_not(range_is_exit(&close));
}
