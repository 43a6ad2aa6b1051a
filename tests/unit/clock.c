/* The clock of the vDSO against that of the kernel. */
#include "base/clock.h"

#include "base/sys.h"
#include "unit.h"

static uint64_t of_kernel(clockid_t clock)
{
    struct timespec t = {0, 0};
    cr_assert_eq(sys_call(SYS_clock_gettime, clock, (long)&t, 0, 0, 0, 0), 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

Test(clock, it_tells_what_the_kernel_tells)
{
    static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
    for (size_t i = 0; i < 1000; i++) {
        uint64_t before = of_kernel(clocks[i % 2]);
        uint64_t now = clock_read(clocks[i % 2]);
        cr_expect_leq(before, now);
        cr_expect_leq(now, of_kernel(clocks[i % 2]));
    }
}

Test(clock, a_clock_that_the_kernel_lacks_is_at_nought)
{
    cr_expect_eq(clock_read(9999), 0u);
}
