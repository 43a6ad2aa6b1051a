/* The budget under many threads: what is claimed at the same time never exceeds it, and nothing of
 * it is lost. */
#include "track/budget.h"

#include "base/sys.h"
#include "race.h"
#include "track/books.h"

enum { TOTAL = 1000000, CLAIMED_MOST = 60 };

static _Atomic uint64_t used;  /* by waits that have ended */
static _Atomic uint64_t taken; /* by those, and by the claims of the others */
static _Atomic unsigned ends_told;

static void *claim_and_settle(void *number)
{
    uint64_t state = *(unsigned *)number;
    while (going_on() && atomic_load(&used) < TOTAL) {
        uint64_t wanted = dice(&state, CLAIMED_MOST);
        struct claim claim = budget_claim(wanted, clock_now());
        CHECK(claim.ns <= wanted);
        CHECK(atomic_fetch_add(&taken, claim.ns) + claim.ns <= TOTAL);
        uint64_t needed = dice(&state, (unsigned)claim.ns + 1);
        atomic_fetch_sub(&taken, claim.ns - needed);
        atomic_fetch_add(&used, needed);
        budget_settle(claim, needed);
        atomic_fetch_add(&ends_told, budget_ends_now());
    }
    return NULL;
}

int main(void)
{
    CHECK(books_start());
    budget_start(TOTAL);
    race(claim_and_settle);
    CHECK(budget_unspent() == TOTAL - atomic_load(&used));
    CHECK(atomic_load(&ends_told) == (atomic_load(&used) == TOTAL));
    return 0;
}
