/* What waits in vain share, under many threads: no wait that ended is lost, however many at once.
 */
#include "track/vain.h"

#include "race.h"
#include "track/books.h"

static const uint64_t max_wait = 1000000000;
static _Atomic unsigned told;

static void *end_in_vain(void *number)
{
    uint64_t state = *(unsigned *)number;
    while (going_on()) {
        uint64_t elapsed = dice(&state, 1000) * 1000000;
        uint64_t now = clock_now();
        vain_ended(now, elapsed, max_wait);
        /* Nobody else can bring it forward: with three quarters of all taken, no wait is whole. */
        vain_ended(now, 2 * max_wait, max_wait);
        vain_ended(now, 2 * max_wait, max_wait);
        CHECK(!vain_has_whole(now));
        atomic_fetch_add(&told, vain_tells());
    }
    return NULL;
}

int main(void)
{
    CHECK(books_start());
    race(end_in_vain);
    CHECK(atomic_load(&told) == 1);
    CHECK(vain_has_whole(clock_now() + 40ull * 1000000000));
    return 0;
}
