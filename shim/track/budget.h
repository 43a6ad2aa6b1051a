/* The budget of SETTLE_TOTAL_WAIT: how long the closes of this process may wait, all together.
 *
 * A wait claims the longest that it may take before it begins, and gives back what it did not need:
 * so the waits of several threads at the same time, which count one by one, never take more than
 * the budget together. What is left for a wait may therefore be less than is unspent. A fork child
 * begins with the whole budget, as any new process does.
 */
#ifndef SETTLE_BUDGET_H
#define SETTLE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct budget_books {
    _Atomic uint64_t spent; /* ns, by waits that have ended: raised by budget_settle */
    /* ns, spent, and claimed by waits that run: raised by budget_claim, by compare-and-swap so that
     * it never passes the total; budget_settle takes off what was not needed, after it has raised
     * `spent`. So `spent` never passes `taken`. */
    _Atomic uint64_t taken;
    _Atomic bool end_known; /* set by the one call of budget_ends_now that says so */
};

/* total: ns; NO_LIMIT: none. */
void budget_start(uint64_t total);

/* What it was started with. */
uint64_t budget_total(void);

struct claim {
    uint64_t began; /* clock_now, as it was given: what the wait takes is counted from there */
    uint64_t ns;    /* what the wait may take */
    int home;       /* the process whose budget that is */
};

/* Claims up to `wanted` ns for a wait that begins at `now` (clock_now). */
struct claim budget_claim(uint64_t wanted, uint64_t now);

/* The wait has ended, and took so much of its claim. Does nothing in a fork child that a signal
 * handler made during the wait. */
void budget_settle(struct claim claim, uint64_t used);

/* What the waits that have ended left of it, in ns. */
uint64_t budget_unspent(void);

/* True the first time that it is asked with the whole budget spent. */
bool budget_ends_now(void);

#endif
