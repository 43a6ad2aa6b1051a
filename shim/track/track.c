#include "track/track.h"

#include "helper/helper.h"
#include "helper/log.h"
#include "track/block.h"
#include "track/exit.h"
#include "track/keep.h"
#include "track/opened.h"
#include "track/process.h"
#include "track/sum.h"
#include "track/use.h"

_Atomic uint32_t track_size_mask = TRACK_NOTHING;
static uint32_t size_mask; /* when it is on */

bool track_is_on(void)
{
    return atomic_load_explicit(&track_size_mask, memory_order_relaxed) != TRACK_NOTHING;
}

void track_start(const struct settings *s)
{
    size_mask = opened_start(s);
    block_start(s);
    exit_start(s);
    use_start(s);
    keep_start(s->keep_locks == KEEP_LOCKS_ON);
    sum_start(s);
    if (sum_wanted())
        size_mask = 0; /* whatever is opened is looked at */
    atomic_store(&track_size_mask, size_mask);
}

bool track_stop(void)
{
    if (!track_is_on() || !process_thread_at_home())
        return false;
    log_say(LOG_INFO, "the program filters its own system calls: no close waits from here on");
    return atomic_exchange(&track_size_mask, TRACK_NOTHING) != TRACK_NOTHING;
}

void track_go_on(bool stopped)
{
    if (stopped)
        atomic_store(&track_size_mask, size_mask);
}

bool track_shares_table(void)
{
    return track_is_on() && process_thread_at_home() && helper_other_threads();
}

void track_left_table(void)
{
    process_thread_left();
}
