#include "wait/pace.h"

#include "base/clock.h"

uint64_t pace_backoff(uint64_t since_start, uint64_t check_interval)
{
    const uint64_t shortest = 200000;
    uint64_t sleep = since_start / 10;
    if (sleep > check_interval)
        sleep = check_interval;
    return sleep > shortest ? sleep : shortest;
}

uint64_t pace_settling(uint64_t since_event, uint64_t backoff)
{
    return since_event > 0 && since_event < backoff ? since_event : backoff;
}

uint64_t pace_deaf(uint64_t last, uint64_t since_last, uint64_t backoff)
{
    const uint64_t shortest = 50000;
    const uint64_t not_long = 8 * last;
    uint64_t longest = since_last < not_long ? 2 * last : shortest;
    if (longest > backoff)
        longest = backoff;
    return longest / 2 + clock_now() % (longest / 2 + 1);
}
