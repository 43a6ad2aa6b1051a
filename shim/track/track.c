#include "track/track.h"

#include "base/sys.h"
#include "helper/helper.h"
#include "helper/log.h"
#include "track/beside.h"
#include "track/block.h"
#include "track/exit.h"
#include "track/keep.h"
#include "track/look.h"
#include "track/process.h"
#include "track/recognise.h"
#include "track/sum.h"
#include "track/use.h"

static atomic_bool on;

SYS_AT_START bool track_is_on(void)
{
    return atomic_load_explicit(&on, memory_order_relaxed);
}

SYS_AT_START void track_start(const struct settings *s)
{
    recognise_start(s);
    block_start(s);
    exit_start(s);
    use_start(s);
    keep_start(s->keep_locks == KEEP_LOCKS_ON);
    sum_start(s);
    beside_start(s);
    look_start(s);
    atomic_store(&on, true);
}

bool track_stop(void)
{
    if (!track_is_on() || !process_thread_at_home())
        return false;
    log_say(LOG_INFO, "the program filters its own system calls: no close waits from here on");
    look_stop();
    return atomic_exchange(&on, false);
}

void track_go_on(bool stopped)
{
    if (!stopped)
        return;
    atomic_store(&on, true);
    look_go_on();
}

bool track_shares_table(void)
{
    return track_is_on() && process_thread_at_home() && helper_other_threads();
}

void track_left_table(void)
{
    process_thread_left();
}
