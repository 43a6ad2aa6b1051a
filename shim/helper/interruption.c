#include "helper/interruption.h"

#include "helper/helper.h"
#include "helper/seccomp.h"

#include <errno.h>
#include <signal.h>

static sys_sigset bit(int signal)
{
    return (sys_sigset)1 << (signal - 1);
}

const sys_sigset interruption_signals = 1ull << (SIGINT - 1) | 1ull << (SIGTERM - 1);

/* The kernel's struct sigaction begins with the handler in both architectures; libc's sigaction is
 * for the program, and hides two signals. */
struct disposition {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    sys_sigset mask;
};

static struct disposition disposition_of(int signal)
{
    struct disposition d = {.handler = SIG_DFL};
    sys_call(SYS_rt_sigaction, signal, 0, (long)&d, sizeof d.mask, 0, 0);
    return d;
}

static bool is_handled(int signal)
{
    struct disposition d = disposition_of(signal);
    return d.handler != SIG_DFL && d.handler != SIG_IGN;
}

/* glibc's signal for pthread_cancel (nptl(7)). Before 2.34 each process with threads has a handler
 * for it, which is called for those alone who may be cancelled anywhere. Later it gets one at the
 * first pthread_cancel, with SA_RESTART, and since 2.41 each cancellation sends it: seen by
 * programs/meanwhile on both. */
enum { LIBC_CANCEL = 32 };

/* A number that glibc has for setuid and its like in a process with threads, each of which has a
 * handler for it, and musl for pthread_cancel, at the first of which it gets one. Musl's handlers
 * block all signals (init_cancellation in its pthread_cancel.c), glibc's none. */
enum { LIBC_OWN = 33 };

/* Handlers that run for what the thread itself does, which now is to sleep. */
static const sys_sigset not_by_others =
    1ull << (SIGILL - 1) | 1ull << (SIGTRAP - 1) | 1ull << (SIGABRT - 1) | 1ull << (SIGBUS - 1) |
    1ull << (SIGFPE - 1) | 1ull << (SIGSEGV - 1) | 1ull << (SIGSYS - 1);

/* Whether one of libc's own signals can interrupt a wait. */
static bool libcs_interrupts(int signal)
{
    const struct disposition d = disposition_of(signal);
    const sys_sigset all = ~(bit(SIGKILL) | bit(SIGSTOP));
    return signal == LIBC_OWN ? (d.mask & all) == all : (d.flags & SA_RESTART) != 0;
}

/* Whether a signal besides the two can interrupt this thread's system calls. */
static bool others_handled(sys_sigset blocked)
{
    const int signals = 64;
    const sys_sigset left_out = interruption_signals | not_by_others | blocked;
    for (int signal = 1; signal <= signals; signal++) {
        if ((bit(signal) & left_out) != 0 || !is_handled(signal))
            continue;
        if ((signal != LIBC_CANCEL && signal != LIBC_OWN) || libcs_interrupts(signal))
            return true;
    }
    return false;
}

static bool either_is_handled(sys_sigset watched)
{
    return ((watched & bit(SIGINT)) != 0 && is_handled(SIGINT)) ||
           ((watched & bit(SIGTERM)) != 0 && is_handled(SIGTERM));
}

/* A blocked signal is kept even where it is ignored. */
bool interruption_is_pending(sys_sigset watched)
{
    sys_sigset pending = 0;
    if (sys_call(SYS_rt_sigpending, (long)&pending, sizeof pending, 0, 0, 0, 0) < 0)
        return false;
    pending &= watched;
    return ((pending & bit(SIGINT)) != 0 && disposition_of(SIGINT).handler != SIG_IGN) ||
           ((pending & bit(SIGTERM)) != 0 && disposition_of(SIGTERM).handler != SIG_IGN);
}

/* A filter that kills may do so for any of the questions. */
struct interruption interruption_begin(sys_sigset mask, unsigned threads)
{
    struct interruption i = {.before = mask, .threads = threads};
    if (!seccomp_is_on() || !seccomp_may_kill())
        i.watched = interruption_signals & ~mask;
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
    i->handled = either_is_handled(i->watched);
    i->blocked = false;
    sys_sigmask(SIG_SETMASK, &i->before, NULL);
}

/* Whether one of the two has interrupted the thread. They would have ended the process if they had
 * no handler, then (it may be gone by now: SA_RESETHAND) or now. Where another signal has got one
 * meanwhile, nobody knows any more. */
static bool was_one_of_them(struct interruption *i)
{
    if (!others_handled(i->before))
        return i->handled || either_is_handled(i->watched);
    i->alone_handled = false;
    i->blocked = true;
    sys_sigset now = i->before | i->watched;
    sys_sigmask(SIG_SETMASK, &now, NULL);
    return false;
}

bool interruption_came(struct interruption *i, long result)
{
    if (i->watched == 0)
        return false;
    if (i->alone_handled)
        return result == -EINTR && was_one_of_them(i);
    i->looks++;
    if (interruption_is_pending(i->watched))
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
    if (!i->looked)
        return first;
    if (!i->shared)
        return INTERRUPTION_STEP;
    const unsigned doublings = 4;
    return (uint64_t)INTERRUPTION_STEP << (i->looks < doublings ? i->looks : doublings);
}

bool interruption_sleep(struct interruption *i, uint64_t ns)
{
    const long result = sys_poll(-1, 0, ns < INTERRUPTION_STEP ? ns : INTERRUPTION_STEP);
    return interruption_came(i, result);
}

void interruption_end(const struct interruption *i)
{
    if (i->blocked)
        sys_sigmask(SIG_SETMASK, &i->before, NULL);
}
