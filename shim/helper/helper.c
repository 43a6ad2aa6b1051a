#include "helper/helper.h"

#include "base/clock.h"
#include "base/sys.h"
#include "helper/ended.h"
#include "helper/interruption.h"
#include "helper/seccomp.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Room for the path buffers of wait.c, several times over. Untouched pages cost nothing. */
enum { STACK_SIZE = 128 * 1024 };

enum { PAGE = 4096 };

/* The first page, which a fork empties: a fork child that a signal handler made has no helper to
 * wait for. The request behind it stays, since that handler may have interrupted whoever reads it.
 */
struct helper {
    size_t mapped;
    _Atomic uint32_t alive; /* the kernel clears it and wakes us when the thread has ended */
    bool abandoned;
    atomic_bool stop; /* nobody waits for it any more */
    bool filtered;    /* a process of its own */
    /* signals that end the wait, for the helper to look for; 0: for none */
    _Atomic sys_sigset watched;
    atomic_bool ended; /* rather than killed */
    int error;
    void (*work)(void *request);
};

/* spawn.S: clone or clone3 with these arguments, and a stack with the function to call and its
 * argument on top. Returns the new thread's id or -errno. */
long settle_spawn(long number, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
                  unsigned long e);

/* The last one that was given back: its pages are there already, which halves the cost of a close.
 */
static struct helper *_Atomic spare;

/* Those that their callers have left while they ran. One that finds no place keeps its memory for
 * good. */
enum { LEFT = 16 };
static struct helper *_Atomic left[LEFT];

static void give_back(struct helper *h)
{
    h = atomic_exchange(&spare, h);
    if (h != NULL)
        sys_munmap(h, h->mapped);
}

static void leave(struct helper *h)
{
    for (int i = 0; i < LEFT; i++) {
        struct helper *none = NULL;
        if (atomic_compare_exchange_strong(&left[i], &none, h))
            return;
    }
}

/* In a fork child, what its parent left is nobody's: the page that says how much it is is empty. */
static void take_back_left_ones(void)
{
    for (int i = 0; i < LEFT; i++) {
        struct helper *h = atomic_exchange(&left[i], NULL);
        if (h != NULL && helper_is_running(h))
            leave(h);
        else if (h != NULL && h->mapped > 0)
            sys_munmap(h, h->mapped);
    }
}

struct helper *helper_new(size_t size)
{
    take_back_left_ones();
    size_t mapped = (PAGE + size + STACK_SIZE + PAGE - 1) & ~(size_t)(PAGE - 1);
    struct helper *h = atomic_exchange(&spare, NULL);
    if (h != NULL && h->mapped >= mapped) {
        memset(helper_request(h), 0, size);
        return h;
    }
    if (h != NULL && h->mapped > 0)
        sys_munmap(h, h->mapped);
    h = sys_mmap(mapped);
    if (h != NULL) {
        sys_madvise(h, PAGE, MADV_WIPEONFORK);
        h->mapped = mapped;
    }
    return h;
}

void *helper_request(struct helper *h)
{
    return (char *)h + PAGE;
}

/* A filter that kills with SIGSYS would have the shared memory written to a core file. 1 is the
 * limit that also keeps a program from being started for it (core(5)). */
static void forbid_core_file(void)
{
    const struct rlimit limit = {1, 1};
    sys_call(SYS_prlimit64, 0, RLIMIT_CORE, (long)&limit, 0, 0, 0);
}

/* Sleeps of 0.2 ms and less would otherwise be 0.05 ms longer (PR_SET_TIMERSLACK in prctl(2), which
 * is this thread's alone). */
static void sleep_exactly(void)
{
    sys_call(SYS_prctl, PR_SET_TIMERSLACK, 1, 0, 0, 0, 0);
}

/* unshare(CLONE_FILES) is no substitute for close_range: it copies every descriptor first, which
 * keeps the program's pipes and sockets open for as long as the helper lives, and Docker's seccomp
 * profile refuses it. */
static void helper_main(void *argument)
{
    struct helper *h = argument;
    if (h->filtered)
        forbid_core_file();
    else
        sleep_exactly();
    int result = sys_close_range(0, ~0u, CLOSE_RANGE_UNSHARE);
    if (result < 0)
        h->error = -result;
    else
        h->work(helper_request(h));
    atomic_store(&h->ended, true);
}

/* What the new thread takes from the top of its stack. */
struct entry {
    void (*function)(void *argument);
    void *argument;
};

static struct entry *stack_of(struct helper *h)
{
    struct entry *top = (struct entry *)((char *)h + h->mapped) - 1;
    *top = (struct entry){helper_main, h};
    return top;
}

static long clone_helper(struct helper *h, unsigned long flags)
{
    unsigned long id = (unsigned long)&h->alive;
    unsigned long stack = (unsigned long)stack_of(h);
#if defined(__x86_64__)
    return settle_spawn(SYS_clone, flags, stack, id, id, 0);
#else /* the last two the other way round (clone(2), "C library/kernel differences") */
    return settle_spawn(SYS_clone, flags, stack, id, 0, id);
#endif
}

static long clone3_helper(struct helper *h, unsigned long flags)
{
    const struct { /* struct clone_args of clone(2), its first version */
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } arguments = {
        .flags = flags,
        .child_tid = (uint64_t)&h->alive,
        .parent_tid = (uint64_t)&h->alive,
        .stack = (uint64_t)((char *)h + h->mapped - STACK_SIZE),
        .stack_size = STACK_SIZE - sizeof(struct entry),
    };
    stack_of(h);
    return settle_spawn(SYS_clone3, (unsigned long)&arguments, sizeof arguments, 0, 0, 0);
}

static long spawn(struct helper *h, enum seccomp_clone clone)
{
    const unsigned long common =
        CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID;
    const unsigned long thread = CLONE_THREAD | CLONE_SIGHAND | CLONE_SYSVSEM;
    if (!h->filtered)
        return clone_helper(h, common | thread);
    long id = clone == SECCOMP_CLONE_AS_LIBC ? clone3_helper(h, common) : -ENOSYS;
    return id == -ENOSYS ? clone_helper(h, common) : id;
}

/* Helpers that are processes of their own. Each is entered when it is made and taken out when it is
 * reaped: by whoever waited for it, or, where that was left by longjmp, by a later one. */
enum { PROCESSES = 64 };
static _Atomic int processes[PROCESSES];

static void enter_process(int id)
{
    for (int i = 0; i < PROCESSES; i++) {
        int none = 0;
        if (atomic_compare_exchange_strong(&processes[i], &none, id))
            return;
    }
}

/* A process without an exit signal is no child for the program's own waits (wait(2), __WCLONE). */
static void reap(int id, int options)
{
    long result;
    while ((result = sys_call(SYS_wait4, id, 0, (long)__WCLONE | options, 0, 0, 0)) == -EINTR)
        ;
    for (int i = 0; result != 0 && i < PROCESSES; i++) {
        int expected = id;
        atomic_compare_exchange_strong(&processes[i], &expected, 0);
    }
}

static void reap_left_ones(void)
{
    for (int i = 0; i < PROCESSES; i++) {
        int id = atomic_load(&processes[i]);
        if (id != 0)
            reap(id, WNOHANG);
    }
}

/* The helper inherits the mask: a signal for the process is then never handled on its small stack.
 * Nor can a handler fork any more between the look at the owner and the new thread. */
static long start(struct helper *h, enum seccomp_clone clone, struct interruption *interruption)
{
    const sys_sigset all = ~0ull;
    sys_sigset old;
    sys_sigmask(SIG_SETMASK, &all, &old);
    long id = -ESRCH;
    if (h->mapped > 0) {
        h->error = 0;
        atomic_store(&h->stop, false);
        atomic_store(&h->ended, false);
        atomic_store(&h->watched, 0);
        atomic_store(&h->alive, 1);
        id = spawn(h, clone);
        if (h->filtered && id > 0)
            enter_process((int)id);
    }
    if (interruption != NULL && id > 0)
        *interruption = interruption_begin(old, h->filtered ? 1 : 2);
    else
        sys_sigmask(SIG_SETMASK, &old, NULL);
    return id;
}

/* Does not sleep at first: to be woken takes longer than what most helpers do. Whoever else wants
 * the processor, the helper itself too, gets it. */
static void look_on(const struct helper *h)
{
    const uint64_t end = clock_now() + 100000;
    while (atomic_load(&h->alive) != 0 && clock_now() < end)
        sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

/* The helper looks, too, once the two are blocked for good: while this thread takes them itself, to
 * be woken by the helper at the same moment would hide that it was interrupted. A process of its
 * own does not see what is pending for this one. */
static void share_looks(struct helper *h, struct interruption *i)
{
    i->shared = i->looked && !i->alone_handled && !h->filtered;
    atomic_store(&h->watched, i->shared ? i->watched : 0);
}

/* Waits until the kernel has cleared `alive` at the helper's end. 0, or ETIMEDOUT or EINTR. */
static int join(struct helper *h, uint64_t deadline, struct interruption *interruption)
{
    uint64_t end = deadline;
    look_on(h);
    for (uint32_t alive; (alive = atomic_load(&h->alive)) != 0;) {
        uint64_t step = interruption_step(interruption);
        if (step != UINT64_MAX) {
            uint64_t now = clock_now();
            end = now < deadline && step < deadline - now ? now + step : deadline;
        } else {
            end = deadline;
        }
        const struct timespec until = sys_timespec(end);
        /* FUTEX_WAIT_BITSET takes an absolute monotonic time; not private, as the kernel's wake-up
         * at a thread's end is not */
        long result = sys_call(SYS_futex, (long)&h->alive, FUTEX_WAIT_BITSET, alive, (long)&until,
                               0, (long)FUTEX_BITSET_MATCH_ANY);
        if (atomic_load(&h->alive) == 0)
            break;
        if (interruption_came(interruption, result))
            return EINTR;
        share_looks(h, interruption);
        if (result == -ETIMEDOUT && end == deadline)
            return ETIMEDOUT;
    }
    return 0;
}

static int run(struct helper *h, void (*work)(void *), uint64_t deadline, bool interruptibly)
{
    struct interruption interruption = {.watched = 0};
    const enum seccomp_clone clone = seccomp_is_on() ? seccomp_clone() : SECCOMP_CLONE_PASSES;
    if (clone == SECCOMP_CLONE_IN_DOUBT)
        return ENOTSUP;
    h->filtered = seccomp_is_on();
    h->work = work;
    if (h->filtered)
        reap_left_ones();
    long id = start(h, clone, interruptibly ? &interruption : NULL);
    if (id < 0)
        return (int)-id;
    int error = join(h, deadline, &interruption);
    /* Before a handler runs that may leave by longjmp or exit. */
    if (error != 0 && h->mapped > 0) {
        h->abandoned = true;
        atomic_store(&h->stop, true);
        if (!h->filtered && error == EINTR)
            ended_enter((int)id);
        else if (!h->filtered)
            ended_enter_running((int)id);
    }
    interruption_end(&interruption);
    if (h->mapped == 0)
        return ESRCH;
    if (error != 0)
        return error;
    if (h->filtered)
        reap((int)id, 0);
    else
        ended_enter((int)id);
    return atomic_load(&h->ended) ? h->error : ECANCELED;
}

int helper_run(struct helper *h, void (*work)(void *), uint64_t deadline)
{
    return run(h, work, deadline, false);
}

int helper_run_interruptibly(struct helper *h, void (*work)(void *), uint64_t deadline)
{
    return run(h, work, deadline, true);
}

/* By the futex that the kernel wakes at the thread's end, with its value as it was. */
bool helper_is_told_to_stop(struct helper *h)
{
    const sys_sigset watched = atomic_load(&h->watched);
    if (watched != 0 && interruption_is_pending(watched))
        sys_call(SYS_futex, (long)&h->alive, FUTEX_WAKE, 1, 0, 0, 0);
    return atomic_load(&h->stop);
}

/* It is entered among those at once: the end of the process waits for no such thread. */
int helper_begin(struct helper *h, void (*work)(void *))
{
    if (seccomp_is_on())
        return ENOTSUP;
    h->filtered = false;
    h->work = work;
    long id = start(h, SECCOMP_CLONE_PASSES, NULL);
    if (id < 0)
        return (int)-id;
    ended_enter_running((int)id);
    return 0;
}

bool helper_is_running(const struct helper *h)
{
    return atomic_load(&h->alive) != 0;
}

void helper_free(struct helper *h)
{
    if (h->mapped == 0)
        return;
    if (!h->abandoned)
        give_back(h);
    else
        leave(h);
}
