#include "track/exit.h"

#include "base/clock.h"
#include "base/sys.h"
#include "base/text.h"
#include "config/rules.h"
#include "helper/helper.h"
#include "helper/interruption.h"
#include "helper/log.h"
#include "track/block.h"
#include "track/books.h"
#include "track/budget.h"
#include "track/closed.h"
#include "track/handle.h"
#include "track/history.h"
#include "track/later.h"
#include "track/opened.h"
#include "track/process.h"
#include "track/sum.h"
#include "track/track.h"
#include "track/use.h"

static const struct settings *settings;

SYS_AT_START void exit_start(const struct settings *s)
{
    settings = s;
}

/* What the exit may see go away: handles that are open, and closes that are under way. */
static uint32_t left_to_do(void)
{
    return handle_count() + closed_unfinished();
}

/* No close waits for longer. */
static uint64_t longest_exit(void)
{
    uint64_t longest = rules_longest_wait();
    return longest < budget_unspent() ? longest : budget_unspent();
}

static void wait_at_exit(bool other_threads(void))
{
    const uint64_t step = 1000000;
    uint32_t left = left_to_do();
    if ((left == 0 && block_waits_running() == 0) || !track_is_on() ||
        settings->at_exit == AT_EXIT_OFF || !process_thread_at_home())
        return;
    uint64_t began = clock_now();
    uint64_t progress = began;
    uint64_t most = longest_exit();
    bool threads = left > 0 && other_threads();

    struct interruption interruption = interruption_here(1);
    for (;;) {
        uint64_t now = clock_now();
        uint32_t still = left_to_do();
        if (still < left || block_waits_running() > 0)
            progress = now;
        left = still;
        bool going_on = threads && left > 0 && now - progress < settings->fallback_delay;
        if ((!going_on && block_waits_running() == 0) || now - began >= most)
            break;
        if (interruption_sleep(&interruption, step))
            break;
    }
    interruption_end(&interruption);
    if (log_wants(LOG_DEBUG)) {
        char message[96];
        struct text t = text_in(message, sizeof message);
        text_str(&t, "at exit: ");
        text_int(&t, handle_count());
        text_str(&t, " handles still open, waited ");
        text_seconds(&t, clock_now() - began);
        log_say(LOG_DEBUG, message);
    }
}

SYS_AT_START void exit_wait_and_tell(bool other_threads(void))
{
    if (!books_are_begun())
        return; /* a look at them would cost the end of each process a page fault */
    wait_at_exit(other_threads);
    if (settings != NULL && settings->at_exit != AT_EXIT_OFF)
        use_ended();
    if (track_is_on() && sum_wanted() && process_thread_at_home())
        sum_tell();
}

/* It waits for nothing. Of a fork child that used no store nobody wants to know. */
void track_exit_at_once(void)
{
    if (track_is_on() && sum_wanted() && process_thread_at_home() && sum_is_of_interest())
        sum_tell();
}

void track_closing_standard_error(void)
{
    if (track_is_on() && sum_wanted() && process_thread_at_home() && sum_is_of_interest())
        sum_tell_early();
}

SYS_AT_START void track_exit(void)
{
    if (books_are_begun())
        later_look_at_all();
    if (books_are_begun() && track_is_on() && handle_count() > 0 && process_thread_at_home())
        opened_miss_all();
    exit_wait_and_tell(helper_other_threads);
}
