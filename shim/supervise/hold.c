#include "supervise/hold.h"

#include "base/status.h"
#include "base/sys.h"
#include "helper/log.h"
#include "supervise/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Not libc's, whose header and the kernel's do not go together. */
static long trace(long request, int thread, long address, long data)
{
    return sys_call(SYS_ptrace, request, thread, address, data, 0, 0);
}

static uint64_t bit(int signal)
{
    return 1ull << (signal - 1);
}

/* --- signals that it could take --- */

/* *ends: one of them is to end the wait. What is pending for the process may be taken by another
 * thread of it, too. */
static bool has_signal(const struct held *h, bool *ends)
{
    char status[4096];
    ssize_t length = h->status < 0 ? -1 : pread(h->status, status, sizeof status - 1, 0);
    *ends = false;
    if (length <= 0)
        return false;
    status[length] = '\0';
    uint64_t pending = (status_set(status, "\nSigPnd:") | status_set(status, "\nShdPnd:")) &
                       ~status_set(status, "\nSigBlk:");
    uint64_t ignored = status_set(status, "\nSigIgn:");
    *ends = (pending & ~ignored & (bit(SIGINT) | bit(SIGTERM))) != 0;
    return pending != 0;
}

/* --- stops --- */

static bool where(int thread, struct ptrace_syscall_info *info)
{
    return trace(PTRACE_GET_SYSCALL_INFO, thread, sizeof *info, (long)info) > 0;
}

static bool at_way_out(const struct held *h, const struct ptrace_syscall_info *info)
{
    return info->instruction_pointer == h->ip && info->stack_pointer == h->sp;
}

static void detach(struct held *h, int signal)
{
    trace(PTRACE_DETACH, h->thread, 0, signal);
    h->state = HOLD_NOT;
}

static bool is_stop_signal(int signal)
{
    return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* A handler that is left by longjmp never returns; nor may one be slowed down for ever. */
enum { CALLS_MOST = 10000 };

static void run_handler(struct held *h, int signal)
{
    h->state = HOLD_RUNS;
    if (++h->calls > CALLS_MOST)
        detach(h, signal);
    else
        trace(PTRACE_SYSCALL, h->thread, 0, signal);
}

/* It stops again before it is back in the program, or at the first instruction of a handler. */
static void run_to_next_stop(struct held *h, int signal)
{
    h->state = HOLD_RUNS;
    trace(PTRACE_INTERRUPT, h->thread, 0, 0);
    trace(PTRACE_CONT, h->thread, 0, signal);
}

static void in_call(struct held *h)
{
    struct ptrace_syscall_info info;
    if (!where(h->thread, &info)) {
        run_handler(h, 0);
        return;
    }
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        h->returns = info.entry.nr == SYS_rt_sigreturn;
    } else if (h->returns && at_way_out(h, &info)) {
        run_to_next_stop(h, 0);
        return;
    }
    run_handler(h, 0);
}

static void in_trap(struct held *h)
{
    struct ptrace_syscall_info info;
    if (where(h->thread, &info) && at_way_out(h, &info)) {
        h->state = HOLD_STOPPED;
        h->delivers = h->returns = false;
    } else if (h->delivers) {
        run_handler(h, 0);
    } else {
        detach(h, 0); /* another thread took the signal, and it is back in the program */
    }
}

/* It has stopped, or ended (waitpid(2), ptrace(2), "Group-stop" and "PTRACE_EVENT_STOP"). */
static void on_stop(struct held *h, int status)
{
    if (!WIFSTOPPED(status)) {
        h->state = HOLD_NOT;
        return;
    }
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (event == PTRACE_EVENT_STOP && is_stop_signal(signal)) {
        trace(PTRACE_LISTEN, h->thread, 0, 0);
        h->state = HOLD_LISTENS;
    } else if (event == PTRACE_EVENT_STOP) {
        in_trap(h);
    } else if (signal == (SIGTRAP | 0x80)) {
        in_call(h);
    } else {
        h->delivers = true;
        run_to_next_stop(h, signal);
    }
}

/* --- beginning --- */

static bool begin_traced(struct held *h)
{
    int status;
    struct ptrace_syscall_info info;
    if (trace(PTRACE_SEIZE, h->thread, 0, PTRACE_O_TRACESYSGOOD) < 0)
        return false;
    trace(PTRACE_INTERRUPT, h->thread, 0, 0);
    slots_continue(h->slot);
    h->state = HOLD_STOPPED;
    while (waitpid(h->thread, &status, __WALL) < 0)
        if (errno != EINTR) {
            h->state = HOLD_NOT;
            return true;
        }
    if (WIFSTOPPED(status) && where(h->thread, &info)) {
        h->ip = info.instruction_pointer;
        h->sp = info.stack_pointer;
    }
    on_stop(h, status);
    return true;
}

static void tell_of_replacing(int error)
{
    static atomic_bool told;
    if (!log_wants(LOG_INFO) || atomic_exchange(&told, true))
        return;
    struct log_line line;
    log_begin(&line, LOG_INFO);
    text_str(&line.text, "ptrace is refused (");
    text_error(&line.text, error);
    text_str(&line.text,
             "): the program has another tracer, or may not be traced; the first signal "
             "ends a wait");
    log_end(&line);
}

/* More than a note: what does not wait is what the user asked for. */
static void tell_of_passing(void)
{
    static atomic_bool told;
    if (!atomic_exchange(&told, true))
        log_say(LOG_WARN, "ptrace is refused: a close does not wait whose file has a flock, a lock "
                          "of the open file or a lease of the program's, or is to be unwritten or "
                          "closed (until)");
}

/* Neither read nor write: whoever uses the number meanwhile gets an error. The open file itself
 * goes only once the thread is back in the program, and what lock is its own: to wait for that
 * would be in vain. */
static void begin_replaced(struct held *h, const struct departure *departures, int count)
{
    bool replaced = true;
    int dead = open("/dev/null", O_ACCMODE | O_CLOEXEC);
    for (int i = 0; i < count; i++)
        if (departures[i].waits && departures[i].goes_late)
            replaced = false;
    if (!replaced)
        tell_of_passing();
    for (int i = 0; replaced && i < count; i++)
        replaced = dead >= 0 && slots_replace(h->slot, departures[i].fd, dead);
    if (dead >= 0)
        close(dead);
    if (replaced)
        h->state = HOLD_REPLACED;
    else
        slots_continue(h->slot);
}

struct held hold_begin(int slot, const struct departure *departures, int count)
{
    char path[48];
    struct held h = {.state = HOLD_NOT, .slot = slot, .thread = (int)slots_get(slot)->pid};
    snprintf(path, sizeof path, "/proc/%d/status", h.thread);
    h.status = open(path, O_RDONLY | O_CLOEXEC);
    if (!begin_traced(&h)) {
        tell_of_replacing(EPERM);
        begin_replaced(&h, departures, count);
    }
    return h;
}

/* --- and then --- */

/* A process that is stopped by another of its threads is to be stopped as a whole. */
static void listen_to(struct held *h)
{
    trace(PTRACE_LISTEN, h->thread, 0, 0);
    h->state = HOLD_LISTENS;
}

static void take_stops(struct held *h)
{
    int status;
    while (h->state != HOLD_NOT && h->state != HOLD_REPLACED &&
           waitpid(h->thread, &status, __WALL | WNOHANG) > 0)
        on_stop(h, status);
}

/* Out of the kernel's hands: it takes its signals on its way out. Where another thread was quicker,
 * it is stopped a moment later. */
static void let_take_signals(struct held *h)
{
    const struct timespec moment = {0, 200000};
    trace(PTRACE_CONT, h->thread, 0, 0);
    h->state = HOLD_RUNS;
    nanosleep(&moment, NULL);
    take_stops(h);
    if (h->state == HOLD_RUNS && !h->delivers)
        trace(PTRACE_INTERRUPT, h->thread, 0, 0);
}

/* It stops anew; where the process is stopped, it listens again. */
static void stop_listening(struct held *h)
{
    int status;
    trace(PTRACE_INTERRUPT, h->thread, 0, 0);
    if (waitpid(h->thread, &status, __WALL) > 0)
        on_stop(h, status);
}

enum hold_event hold_look(struct held *h)
{
    bool ends;
    take_stops(h);
    if (h->state == HOLD_NOT)
        return HOLD_LEFT;
    if (h->state == HOLD_RUNS || !has_signal(h, &ends)) {
        if (h->state == HOLD_STOPPED)
            listen_to(h);
        return HOLD_GOES_ON;
    }
    if (ends)
        return HOLD_INTERRUPTED;
    if (h->state == HOLD_REPLACED) {
        hold_end(h);
        return HOLD_LEFT;
    }
    if (h->state == HOLD_LISTENS)
        stop_listening(h);
    if (h->state == HOLD_STOPPED)
        let_take_signals(h);
    return HOLD_GOES_ON;
}

void hold_end(struct held *h)
{
    int status;
    if (h->state == HOLD_REPLACED) {
        slots_continue(h->slot);
        h->state = HOLD_NOT;
    }
    if (h->state == HOLD_LISTENS)
        trace(PTRACE_INTERRUPT, h->thread, 0, 0);
    while (h->state != HOLD_NOT && h->state != HOLD_STOPPED) {
        if (waitpid(h->thread, &status, __WALL) < 0) {
            if (errno != EINTR)
                h->state = HOLD_NOT;
            continue;
        }
        if (!WIFSTOPPED(status))
            h->state = HOLD_NOT;
        else
            detach(h, status >> 16 == 0 && WSTOPSIG(status) != (SIGTRAP | 0x80) ? WSTOPSIG(status)
                                                                                : 0);
    }
    if (h->state == HOLD_STOPPED)
        detach(h, 0);
    if (h->status >= 0)
        close(h->status);
    h->status = -1;
}
