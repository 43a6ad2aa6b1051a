#include "track/budget.h"

#include "base/sys.h"
#include "config/settings.h"
#include "track/store.h"

/* In the memory that a fork empties. */
#define spent     (store_memory.root.spent)     /* ns: by waits that have ended */
#define taken     (store_memory.root.taken)     /* ns: spent, and claimed by waits that run */
#define end_known (store_memory.root.end_known) /* it was told that it is spent */

static uint64_t total = NO_LIMIT;

void budget_start(uint64_t ns)
{
    total = ns;
}

struct claim budget_claim(uint64_t wanted)
{
    struct claim claim = {.began = sys_now(), .ns = wanted, .home = store_home()};
    if (total == NO_LIMIT)
        return claim;
    uint64_t before = atomic_load(&taken);
    do {
        claim.ns = wanted < total - before ? wanted : total - before;
    } while (!atomic_compare_exchange_weak(&taken, &before, before + claim.ns));
    return claim;
}

void budget_settle(struct claim claim, uint64_t used)
{
    if (total == NO_LIMIT || claim.home != store_home())
        return;
    if (used > claim.ns) /* a file system that hangs holds a wait up behind its deadline */
        used = claim.ns;
    atomic_fetch_add(&spent, used);
    atomic_fetch_sub(&taken, claim.ns - used);
}

uint64_t budget_unspent(void)
{
    return total == NO_LIMIT ? NO_LIMIT : total - atomic_load(&spent);
}

bool budget_ends_now(void)
{
    return budget_unspent() == 0 && !atomic_exchange(&end_known, true);
}
