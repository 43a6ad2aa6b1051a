#include "track/in_vain.h"

#include "base/sys.h"
#include "helper/helper.h"
#include "holders/awaits.h"
#include "track/outlasted.h"
#include "track/tell.h"
#include "track/vain.h"
#include "wait/idle.h"

HELPER_STACK_BEGIN

/* Who that is; false where it cannot be told from another process of the same pid. */
static bool find_out(struct in_vain *v, int pid)
{
    if (v->who_pid != pid) {
        v->who_pid = pid;
        if (proc_self() != sys_getpid() || !proc_read_stat(&v->who, pid))
            v->who.start = 0;
    }
    return v->who.start != 0;
}

bool in_vain_is(struct in_vain *v, const struct wait_request *wait, const struct probe *probe)
{
    const int pid = probe->holder.pid;
    return idle_lock(&probe->holder, wait->profile) && find_out(v, pid) &&
           (outlasted_knows(wait->identity, pid, v->who.start) || awaits_us(pid)) &&
           idle_database(probe, wait->profile);
}

static void learn_of_time_out(struct in_vain *v, const struct wait_request *wait,
                              const struct wait_result *result)
{
    const struct holder *holder = &result->holder;
    if (!v->whole || result->given_up)
        return;
    vain_ended(wait->began + result->elapsed, result->elapsed, wait->max_wait);
    if (result->unchanged && holder->ending[0] == '\0' && idle_lock(holder, wait->profile) &&
        find_out(v, holder->pid))
        outlasted_add(wait->identity, holder->pid, v->who.start);
}

void in_vain_learn(struct in_vain *v, const struct wait_request *wait,
                   const struct wait_result *result)
{
    if (result->outcome == OUTCOME_SETTLED_AT_ONCE ||
        result->outcome == OUTCOME_SETTLED_AFTER_WAITING)
        outlasted_forget(wait->identity);
    else if (result->outcome == OUTCOME_TIMED_OUT)
        learn_of_time_out(v, wait, result);
}

HELPER_STACK_END

void in_vain_tell(const struct in_vain *v, const struct wait_request *wait,
                  const struct wait_result *result, uint64_t delay)
{
    if (result->outcome != OUTCOME_TIMED_OUT)
        return;
    if (!v->whole && vain_tells())
        tell_waits_in_vain(delay);
    if (!result->given_up)
        return;
    const bool outlasted = outlasted_knows(wait->identity, v->who_pid, v->who.start);
    if (!outlasted || outlasted_tells(wait->identity, v->who_pid, v->who.start))
        tell_given_up(wait, result, outlasted);
}
