#include "track/budget.h"

#include "base/sys.h"
#include "config/settings.h"
#include "track/books.h"
#include "track/process.h"

static struct budget_books *const own = &BOOKS.budget;

static uint64_t total = NO_LIMIT;

SYS_AT_START void budget_start(uint64_t ns)
{
    total = ns;
}

uint64_t budget_total(void)
{
    return total;
}

struct claim budget_claim(uint64_t wanted, uint64_t now)
{
    struct claim claim = {.began = now, .ns = wanted, .home = process_home()};
    if (total == NO_LIMIT)
        return claim;
    uint64_t before = atomic_load(&own->taken);
    do {
        claim.ns = wanted < total - before ? wanted : total - before;
    } while (!atomic_compare_exchange_weak(&own->taken, &before, before + claim.ns));
    return claim;
}

void budget_settle(struct claim claim, uint64_t used)
{
    if (total == NO_LIMIT || claim.home != process_home())
        return;
    if (used > claim.ns) /* a file system that hangs holds a wait up behind its deadline */
        used = claim.ns;
    atomic_fetch_add(&own->spent, used);
    atomic_fetch_sub(&own->taken, claim.ns - used);
}

uint64_t budget_unspent(void)
{
    return total == NO_LIMIT ? NO_LIMIT : total - atomic_load(&own->spent);
}

bool budget_ends_now(void)
{
    return budget_unspent() == 0 && !atomic_exchange(&own->end_known, true);
}
