#include "helper/ended.h"

#include "base/clock.h"
#include "base/sys.h"
#include "helper/helper.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>

/* Their thread ids, those of helpers that go on by themselves as negative numbers; 0: nobody. Left
 * alone by a fork: in the child they are nobody's, and are found to be gone. */
enum { ENDED = 32 };
static _Atomic int ended[ENDED];

static bool is_there(int id)
{
    return sys_call(SYS_tgkill, sys_getpid(), id, 0, 0, 0, 0) == 0;
}

/* In one system call instead of two; that a thread of another process has its number does no harm
 * here. */
static bool is_anywhere(int id)
{
    return sys_call(SYS_tkill, id, 0, 0, 0, 0, 0) != -ESRCH;
}

static int id_of(int entry)
{
    return entry < 0 ? -entry : entry;
}

static void enter(int entry)
{
    for (int i = 0; i < ENDED; i++) {
        int old = atomic_load(&ended[i]);
        if ((old == 0 || !is_anywhere(id_of(old))) &&
            atomic_compare_exchange_strong(&ended[i], &old, entry))
            return;
    }
}

void ended_enter(int id)
{
    enter(id);
}

void ended_enter_running(int id)
{
    enter(-id);
}

/* Those that are still there, of the ones whose entries are `least` or more. */
static unsigned count_from(int least)
{
    unsigned count = 0;
    for (int i = 0; i < ENDED; i++) {
        int entry = atomic_load(&ended[i]);
        if (entry == 0 || entry < least)
            continue;
        if (is_there(id_of(entry)))
            count++;
        else if (!is_anywhere(id_of(entry))) /* in a vfork child they are somewhere else */
            atomic_compare_exchange_strong(&ended[i], &entry, 0);
    }
    return count;
}

static unsigned count_ended(void)
{
    return count_from(INT_MIN);
}

bool helper_threads_are_there(void)
{
    return count_ended() > 0;
}

/* Looked at until it stays the same, since one may go between the two counts. */
bool helper_threads_besides(unsigned known)
{
    unsigned gone = count_ended();
    for (int i = 0; i < 10; i++) {
        unsigned threads = sys_threads();
        unsigned now = count_ended();
        if (now == gone)
            return threads > known + gone;
        gone = now;
    }
    return true;
}

bool helper_other_threads(void)
{
    return helper_threads_besides(1);
}

void helper_await_ended(void)
{
    const uint64_t patience = 250000000;
    const uint64_t step = 200000;
    if (count_from(1) == 0 || helper_other_threads())
        return;
    const uint64_t end = clock_now() + patience;
    while (count_from(1) > 0 && clock_now() < end)
        sys_poll(-1, 0, step);
}
