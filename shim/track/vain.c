#include "track/vain.h"

#include "track/books.h"

/* ns in which one whole wait comes back; two are all. */
static const uint64_t refill = 15000000000;

/* However many end at the same time: what was taken too much is not owed for long. */
static const uint64_t most = 2 * refill + refill / 2;

static struct vain_books *const own = &BOOKS.vain;

bool vain_has_whole(uint64_t now)
{
    uint64_t whole_at = atomic_load(&own->whole_at);
    return whole_at <= now || whole_at - now <= refill + refill / 2;
}

/* In thousandths: the product of a day and of 15 s in ns would not fit. */
static uint64_t part_of_refill(uint64_t elapsed, uint64_t max_wait)
{
    const uint64_t thousand = 1000;
    if (max_wait < thousand || elapsed >= max_wait)
        return refill;
    return elapsed / (max_wait / thousand) * (refill / thousand);
}

void vain_ended(uint64_t now, uint64_t elapsed, uint64_t max_wait)
{
    uint64_t taken = part_of_refill(elapsed, max_wait);
    uint64_t whole_at = atomic_load(&own->whole_at);
    uint64_t next;
    do {
        next = whole_at + elapsed; /* nothing came back meanwhile */
        next = (next > now ? next : now) + taken;
        if (next > now + most)
            next = now + most;
    } while (!atomic_compare_exchange_weak(&own->whole_at, &whole_at, next));
}

bool vain_tells(void)
{
    return !atomic_exchange(&own->told, true);
}
