#include "track/track.h"

#include "base/clock.h"
#include "base/sys.h"
#include "helper/helper.h"
#include "helper/log.h"
#include "track/beside.h"
#include "track/block.h"
#include "track/closed.h"
#include "track/exit.h"
#include "track/keep.h"
#include "track/look.h"
#include "track/process.h"
#include "track/recognise.h"
#include "track/seen.h"
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
    keep_let_all_go(); /* the others stay open, and out of everybody's way */
    look_stop();
    seen_hide();
    process_stop(true);
    log_silence(true);
    return atomic_exchange(&on, false);
}

void track_leave_waits(void)
{
    const uint64_t step = 1000000;
    const uint64_t patience = 200000000;
    const uint64_t end = clock_now() + patience;
    while ((closed_unfinished() > 0 || block_waits_running() > 0 || helper_threads_are_there()) &&
           clock_now() < end)
        sys_poll(-1, 0, step);
}

void track_go_on(bool stopped)
{
    if (!stopped)
        return;
    process_stop(false);
    log_silence(false);
    seen_show();
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
