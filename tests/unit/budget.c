/* SETTLE_TOTAL_WAIT: what waits claim, use and give back, alone and at the same time. */
#include "track/budget.h"

#include "base/sys.h"
#include "config/settings.h"
#include "track/books.h"

#include "unit.h"

#include <pthread.h>

static void begin(void)
{
    cr_assert(books_start());
    budget_start(1000);
}

TestSuite(budget, .init = begin, .timeout = 30);

Test(budget, without_one_a_wait_gets_what_it_asks_for)
{
    budget_start(NO_LIMIT);
    for (int i = 0; i < 3; i++) {
        struct claim claim = budget_claim(UINT64_MAX / 2, clock_now());
        cr_expect_eq(claim.ns, UINT64_MAX / 2);
        budget_settle(claim, claim.ns);
    }
    cr_expect_not(budget_ends_now());
}

Test(budget, a_wait_gets_at_most_what_is_left)
{
    struct claim claim = budget_claim(700, clock_now());
    cr_expect_eq(claim.ns, 700u);
    budget_settle(claim, 700);
    cr_expect_eq(budget_claim(700, clock_now()).ns, 300u);
}

Test(budget, what_a_wait_does_not_use_is_there_for_the_next)
{
    struct claim claim = budget_claim(700, clock_now());
    budget_settle(claim, 100);
    cr_expect_eq(budget_unspent(), 900u);
    cr_expect_eq(budget_claim(5000, clock_now()).ns, 900u);
}

Test(budget, waits_at_the_same_time_share_it)
{
    struct claim one = budget_claim(600, clock_now());
    struct claim two = budget_claim(600, clock_now());
    cr_expect_eq(two.ns, 400u);
    cr_expect_eq(budget_claim(600, clock_now()).ns, 0u);
    cr_expect_eq(budget_unspent(), 1000u, "claimed is not spent");
    budget_settle(one, 0);
    cr_expect_eq(budget_claim(600, clock_now()).ns, 600u);
    budget_settle(two, 400);
    cr_expect_eq(budget_unspent(), 600u);
}

Test(budget, a_wait_that_overran_its_claim_takes_no_more_than_the_claim)
{
    budget_settle(budget_claim(700, clock_now()), 5000);
    cr_expect_eq(budget_unspent(), 300u);
    cr_expect_eq(budget_claim(700, clock_now()).ns, 300u);
}

Test(budget, its_end_is_told_once)
{
    struct claim claim = budget_claim(1000, clock_now());
    cr_expect_not(budget_ends_now());
    budget_settle(claim, 999);
    cr_expect_not(budget_ends_now());
    budget_settle(budget_claim(1, clock_now()), 1);
    cr_expect_eq(budget_unspent(), 0u);
    cr_expect(budget_ends_now());
    cr_expect_not(budget_ends_now());
}

Test(budget, one_of_nothing_is_spent_from_the_beginning)
{
    budget_start(0);
    cr_expect_eq(budget_claim(1, clock_now()).ns, 0u);
    cr_expect(budget_ends_now());
}

static struct claim of_parent;

/* The child first settles what its parent claimed, as where a signal handler forked in a wait. */
static int child_has_the_whole(void)
{
    bool at_home = process_at_home();
    budget_settle(of_parent, 0);
    if (!at_home || budget_unspent() != 1000)
        return 1;
    struct claim claim = budget_claim(5000, clock_now());
    budget_settle(claim, 1000);
    return claim.ns == 1000 && budget_ends_now() ? 0 : 2;
}

Test(budget, a_fork_child_begins_with_the_whole)
{
    budget_settle(budget_claim(1000, clock_now()), 1000);
    cr_expect(budget_ends_now());
    of_parent = (struct claim){.ns = 700, .home = process_home()};
    cr_expect_eq(in_child(child_has_the_whole), 0);
    cr_expect_eq(budget_unspent(), 0u);
}

static _Atomic uint64_t used;

static void *claim_often(void *unused)
{
    for (uint64_t i = 0; i < 20000; i++) {
        struct claim claim = budget_claim(i % 7, clock_now());
        uint64_t some = claim.ns / 2;
        atomic_fetch_add(&used, some);
        budget_settle(claim, some);
    }
    return unused;
}

Test(budget, threads_lose_none_of_it)
{
    pthread_t threads[4];
    budget_start(1000000000);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, claim_often, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    cr_expect_eq(budget_unspent(), 1000000000 - atomic_load(&used));
    cr_expect_eq(budget_claim(NO_LIMIT - 1, clock_now()).ns, budget_unspent(),
                 "nothing is still claimed");
}
