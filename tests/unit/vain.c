/* The budget of waits in vain: two whole ones, and how it comes back. */
#include "track/vain.h"

#include "track/books.h"

#include "unit.h"

static const uint64_t second = 1000000000;
static const uint64_t max_wait = 2 * second;
static uint64_t now = 1000 * second;

static void begin(void)
{
    cr_assert(books_start());
}

TestSuite(vain, .init = begin, .timeout = 30);

/* A wait that begins now and times out. */
static void wait_in_vain(uint64_t whole)
{
    now += whole;
    vain_ended(now, whole, whole);
}

Test(vain, two_waits_one_after_the_other_are_whole_and_no_third)
{
    for (int i = 0; i < 2; i++) {
        cr_expect(vain_has_whole(now));
        wait_in_vain(max_wait);
    }
    cr_expect_not(vain_has_whole(now));
}

Test(vain, that_holds_for_a_max_wait_that_is_longer_than_the_refill)
{
    const uint64_t minute = 60 * second;
    for (int i = 0; i < 2; i++) {
        cr_expect(vain_has_whole(now));
        wait_in_vain(minute);
    }
    cr_expect_not(vain_has_whole(now), "nothing comes back while a wait is in vain");
}

Test(vain, fixed_delays_that_follow_bring_none_back)
{
    wait_in_vain(max_wait);
    wait_in_vain(max_wait);
    for (int i = 0; i < 20; i++) {
        now += second / 10;
        cr_expect_not(vain_has_whole(now), "after %d", i);
    }
}

Test(vain, it_comes_back_with_time_and_is_whole_after_half_a_minute)
{
    wait_in_vain(max_wait);
    wait_in_vain(max_wait);
    now += 8 * second;
    cr_expect(vain_has_whole(now));
    wait_in_vain(max_wait);
    cr_expect_not(vain_has_whole(now));
    now += 38 * second;
    wait_in_vain(max_wait);
    cr_expect(vain_has_whole(now));
    wait_in_vain(max_wait);
    cr_expect_not(vain_has_whole(now));
}

Test(vain, a_part_of_a_wait_takes_a_part)
{
    for (int i = 0; i < 3; i++) {
        cr_expect(vain_has_whole(now), "%d", i);
        now += max_wait / 2;
        vain_ended(now, max_wait / 2, max_wait);
    }
    cr_expect(vain_has_whole(now), "half a one is left");
    now += max_wait / 2;
    vain_ended(now, max_wait / 2, max_wait);
    cr_expect_not(vain_has_whole(now));
}

Test(vain, many_that_end_at_the_same_time_owe_no_more_than_a_few)
{
    now += max_wait;
    for (int i = 0; i < 100; i++)
        vain_ended(now, max_wait, max_wait);
    cr_expect_not(vain_has_whole(now + 14 * second));
    cr_expect(vain_has_whole(now + 16 * second));
}

Test(vain, a_max_wait_of_nothing_takes_no_harm)
{
    vain_ended(now, 0, 0);
    cr_expect(vain_has_whole(now));
}

Test(vain, its_end_is_told_once)
{
    cr_expect(vain_tells());
    cr_expect_not(vain_tells());
}

static int child_has_the_whole(void)
{
    return vain_has_whole(now) ? 0 : 1;
}

Test(vain, a_fork_child_begins_with_the_whole)
{
    wait_in_vain(max_wait);
    wait_in_vain(max_wait);
    cr_expect_eq(in_child(child_has_the_whole), 0);
}
