#include "helper/interruption.h"

#include "helper/helper.h"
#include "helper/seccomp.h"

#include <errno.h>
#include <signal.h>

static sys_sigset bit(int signal)
{
    return (sys_sigset)1 << (signal - 1);
}

/* The kernel's struct sigaction begins with the handler in both architectures; libc's sigaction is
 * for the program, and hides two signals. */
struct disposition {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    sys_sigset mask;
};

static void (*handler_of(int signal))(int)
{
    struct disposition d = {.handler = SIG_DFL};
    sys_call(SYS_rt_sigaction, signal, 0, (long)&d, sizeof d.mask, 0, 0);
    return d.handler;
}

/* Handlers that run for what the thread itself does, which now is to sleep; and the two signals
 * that glibc keeps to itself, for pthread_cancel and for setuid and its like in a process of
 * several threads (nptl(7)): before 2.34 it has handlers for them in each such process. */
static const sys_sigset not_by_others = 1ull << (SIGILL - 1) | 1ull << (SIGTRAP - 1) |
                                        1ull << (SIGABRT - 1) | 1ull << (SIGBUS - 1) |
                                        1ull << (SIGFPE - 1) | 1ull << (SIGSEGV - 1) |
                                        1ull << (SIGSYS - 1) | 1ull << (32 - 1) | 1ull << (33 - 1);

/* Whether a signal besides the two can interrupt this thread's system calls. */
static bool others_handled(sys_sigset blocked)
{
    const int signals = 64;
    const sys_sigset left_out = bit(SIGINT) | bit(SIGTERM) | not_by_others | blocked;
    for (int signal = 1; signal <= signals; signal++) {
        if ((bit(signal) & left_out) != 0)
            continue;
        void (*handler)(int) = handler_of(signal);
        if (handler != SIG_DFL && handler != SIG_IGN)
            return true;
    }
    return false;
}

/* A blocked signal is kept even where it is ignored. */
static bool is_pending(sys_sigset watched)
{
    sys_sigset pending = 0;
    if (sys_call(SYS_rt_sigpending, (long)&pending, sizeof pending, 0, 0, 0, 0) < 0)
        return false;
    pending &= watched;
    return ((pending & bit(SIGINT)) != 0 && handler_of(SIGINT) != SIG_IGN) ||
           ((pending & bit(SIGTERM)) != 0 && handler_of(SIGTERM) != SIG_IGN);
}

/* A filter that kills may do so for any of the questions. */
struct interruption interruption_begin(sys_sigset mask, unsigned threads)
{
    struct interruption i = {.before = mask, .threads = threads};
    if (!seccomp_is_on() || !seccomp_may_kill())
        i.watched = (bit(SIGINT) | bit(SIGTERM)) & ~mask;
    i.blocked = i.watched != 0;
    sys_sigset now = mask | i.watched;
    sys_sigmask(SIG_SETMASK, &now, NULL);
    return i;
}

struct interruption interruption_here(unsigned threads)
{
    sys_sigset mask = 0;
    sys_sigmask(SIG_BLOCK, NULL, &mask);
    return interruption_begin(mask, threads);
}

static void choose(struct interruption *i)
{
    i->looked = true;
    i->alone_handled = !others_handled(i->before) && helper_threads_besides(i->threads);
    if (!i->alone_handled)
        return;
    i->blocked = false;
    sys_sigmask(SIG_SETMASK, &i->before, NULL);
}

bool interruption_came(struct interruption *i, long result)
{
    if (i->watched == 0)
        return false;
    if (i->alone_handled)
        return result == -EINTR;
    if (is_pending(i->watched))
        return true;
    if (!i->looked)
        choose(i);
    return false;
}

uint64_t interruption_step(const struct interruption *i)
{
    const uint64_t first = 1000000;
    if (i->watched == 0 || i->alone_handled)
        return UINT64_MAX;
    return i->looked ? INTERRUPTION_STEP : first;
}

void interruption_end(const struct interruption *i)
{
    if (i->blocked)
        sys_sigmask(SIG_SETMASK, &i->before, NULL);
}
