#include "base/patience.h"

#include "base/clock.h"
#include "base/sys.h"

static const uint64_t most = 1000000000;
static const uint32_t fewest_sleeps = 500;

/* Most are done within microseconds, in which a processor that was given away does not come back.
 */
static const uint64_t spinning = 100000;

static uint64_t step(uint64_t waited)
{
    const uint64_t a_moment = 2000000;
    return waited < a_moment ? 50000 : 1000000;
}

SYS_OWN_FRAME bool patience_wait(struct patience *p)
{
    const uint64_t now = clock_now();
    if (p->began == 0)
        p->began = now;
    const uint64_t waited = now - p->began;
    if (waited >= most && p->sleeps >= fewest_sleeps)
        return false;
    if (waited >= spinning) {
        p->sleeps++;
        sys_poll(-1, 0, step(waited));
    }
    return true;
}
