#include "helper/muted.h"

#include <errno.h>
#include <signal.h>

static sys_sigset bit(int signal)
{
    return (sys_sigset)1 << (signal - 1);
}

static sys_sigset pending(void)
{
    sys_sigset set = 0;
    sys_call(SYS_rt_sigpending, (long)&set, sizeof set, 0, 0, 0, 0);
    return set;
}

static struct muted hold(sys_sigset signals)
{
    struct muted muted;
    sys_sigmask(SIG_BLOCK, &signals, &muted.old);
    muted.pending = pending();
    return muted;
}

struct muted muted_begin(void)
{
    return hold(bit(SIGPIPE) | bit(SIGXFSZ) | bit(SIGTTOU));
}

struct muted muted_begin_all(void)
{
    return hold(~(sys_sigset)0);
}

sys_sigset muted_raised_by(long result)
{
    return result == -EPIPE ? bit(SIGPIPE) : result == -EFBIG ? bit(SIGXFSZ) : 0;
}

void muted_end(const struct muted *muted, sys_sigset raised)
{
    raised &= pending() & ~muted->pending;
    if (raised != 0) {
        struct timespec at_once = {0, 0};
        sys_call(SYS_rt_sigtimedwait, (long)&raised, 0, (long)&at_once, sizeof raised, 0, 0);
    }
    sys_sigmask(SIG_SETMASK, &muted->old, NULL);
}
