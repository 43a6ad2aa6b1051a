#include "helper.h"

#include "filter.h"
#include "sys.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Room for the path buffers of wait.c, several times over. Untouched pages cost nothing. */
enum { STACK_SIZE = 128 * 1024 };

struct helper {
    size_t mapped;
    _Atomic uint32_t alive; /* the kernel clears it and wakes us when the thread has ended */
    bool abandoned;
    bool filtered;     /* a process of its own */
    atomic_bool ended; /* rather than killed */
    int error;
    void (*work)(void *request);
    _Alignas(16) char request[];
};

/* clone.S: a thread that runs entry(argument) on the given stack and ends. Returns its id or
 * -errno. */
long settle_clone(unsigned long flags, void *stack_top, _Atomic uint32_t *id, void (*entry)(void *),
                  void *argument);

/* The last one that was given back: its pages are there already, which halves the cost of a close.
 */
static struct helper *_Atomic spare;

static void give_back(struct helper *h)
{
    h = atomic_exchange(&spare, h);
    if (h != NULL)
        sys_munmap(h, h->mapped);
}

struct helper *helper_new(size_t size)
{
    size_t mapped = (sizeof(struct helper) + size + STACK_SIZE + 4095) & ~(size_t)4095;
    struct helper *h = atomic_exchange(&spare, NULL);
    if (h != NULL && h->mapped >= mapped) {
        memset(h->request, 0, size);
        return h;
    }
    if (h != NULL)
        sys_munmap(h, h->mapped);
    h = sys_mmap(mapped);
    if (h != NULL)
        h->mapped = mapped;
    return h;
}

void *helper_request(struct helper *h)
{
    return h->request;
}

/* A filter that kills with SIGSYS would have the shared memory written to a core file. 1 is the
 * limit that also keeps a program from being started for it (core(5)). */
static void forbid_core_file(void)
{
    const struct rlimit limit = {1, 1};
    sys_call(SYS_prlimit64, 0, RLIMIT_CORE, (long)&limit, 0, 0, 0);
}

/* unshare(CLONE_FILES) is no substitute for close_range: it copies every descriptor first, which
 * keeps the program's pipes and sockets open for as long as the helper lives, and Docker's seccomp
 * profile refuses it. */
static void helper_main(void *argument)
{
    struct helper *h = argument;
    if (h->filtered)
        forbid_core_file();
    int result = sys_close_range(0, ~0u, CLOSE_RANGE_UNSHARE);
    if (result < 0)
        h->error = -result;
    else
        h->work(h->request);
    atomic_store(&h->ended, true);
}

/* The helper inherits the mask: a signal for the process is then never handled on its small stack.
 */
static long start(struct helper *h)
{
    const unsigned long common =
        CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID;
    const unsigned long thread = CLONE_THREAD | CLONE_SIGHAND | CLONE_SYSVSEM;
    const sys_sigset all = ~0ull;
    sys_sigset old;
    sys_sigmask(SIG_SETMASK, &all, &old);
    long id = settle_clone(h->filtered ? common : common | thread, (char *)h + h->mapped, &h->alive,
                           helper_main, h);
    sys_sigmask(SIG_SETMASK, &old, NULL);
    return id;
}

/* Waits until the kernel has cleared `alive` at the helper's end. 0, ETIMEDOUT or ESRCH. */
static int join(struct helper *h, uint64_t deadline)
{
    const int caller = sys_getpid();
    const struct timespec until = sys_timespec(deadline);
    for (uint32_t alive; (alive = atomic_load(&h->alive)) != 0;) {
        /* FUTEX_WAIT_BITSET takes an absolute monotonic time; not private, as the kernel's wake-up
         * at a thread's end is not */
        long result = sys_call(SYS_futex, (long)&h->alive, FUTEX_WAIT_BITSET, alive, (long)&until,
                               0, (long)FUTEX_BITSET_MATCH_ANY);
        if (result == -EINTR && sys_getpid() != caller)
            return ESRCH;
        if (result == -ETIMEDOUT && atomic_load(&h->alive) != 0)
            return ETIMEDOUT;
    }
    return 0;
}

/* A process without an exit signal is no child for the program's own waits (wait(2), __WCLONE). */
static void reap(long id)
{
    while (sys_call(SYS_wait4, id, 0, (long)__WCLONE, 0, 0, 0) == -EINTR)
        ;
}

int helper_run(struct helper *h, void (*work)(void *), uint64_t deadline)
{
    h->filtered = filter_is_on();
    if (h->filtered && !filter_allows_clone())
        return ENOTSUP;
    h->work = work;
    h->error = 0;
    atomic_store(&h->ended, false);
    atomic_store(&h->alive, 1);
    long id = start(h);
    if (id < 0)
        return (int)-id;
    int error = join(h, deadline);
    if (error != 0) {
        h->abandoned = error == ETIMEDOUT;
        return error;
    }
    if (h->filtered)
        reap(id);
    return atomic_load(&h->ended) ? h->error : ECANCELED;
}

void helper_free(struct helper *h)
{
    if (!h->abandoned)
        give_back(h);
}
