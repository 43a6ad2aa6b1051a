#include "helper.h"

#include "sys.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Room for the path buffers of wait.c, several times over. Untouched pages cost nothing. */
enum { STACK_SIZE = 128 * 1024 };

struct helper {
    size_t mapped;
    _Atomic uint32_t alive; /* the kernel clears it and wakes us when the thread has ended */
    bool abandoned;
    int error;
    void (*work)(void *request);
    _Alignas(16) char request[];
};

/* clone.S: a thread that runs entry(argument) on the given stack and ends. Returns its id or
 * -errno. */
long settle_clone(unsigned long flags, void *stack_top, _Atomic uint32_t *id, void (*entry)(void *),
                  void *argument);

struct helper *helper_new(size_t size)
{
    size_t mapped = (sizeof(struct helper) + size + STACK_SIZE + 4095) & ~(size_t)4095;
    struct helper *h = sys_mmap(mapped);
    if (h != NULL)
        h->mapped = mapped;
    return h;
}

void *helper_request(struct helper *h)
{
    return h->request;
}

/* unshare(CLONE_FILES) is no substitute for close_range: it copies every descriptor first, which
 * keeps the program's pipes and sockets open for as long as the helper lives, and Docker's seccomp
 * profile refuses it. */
static void helper_main(void *argument)
{
    struct helper *h = argument;
    int result = sys_close_range(0, ~0u, CLOSE_RANGE_UNSHARE);
    if (result < 0)
        h->error = -result;
    else
        h->work(h->request);
}

int helper_run(struct helper *h, void (*work)(void *), uint64_t deadline)
{
    const unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                                CLONE_SYSVSEM | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID;
    const sys_sigset all = ~0ull;
    sys_sigset old;

    h->work = work;
    h->error = 0;
    atomic_store(&h->alive, 1);

    /* The helper inherits the mask: a signal for the process is then never handled on its small
     * stack. */
    sys_sigmask(SIG_SETMASK, &all, &old);
    long id = settle_clone(flags, (char *)h + h->mapped, &h->alive, helper_main, h);
    sys_sigmask(SIG_SETMASK, &old, NULL);
    if (id < 0) {
        atomic_store(&h->alive, 0);
        return (int)-id;
    }

    struct timespec until = sys_timespec(deadline);
    for (;;) {
        uint32_t alive = atomic_load(&h->alive);
        if (alive == 0)
            return h->error;
        /* FUTEX_WAIT_BITSET takes an absolute monotonic time; not private, as the kernel's wake-up
         * at a thread's end is not */
        long result = sys_call(SYS_futex, (long)&h->alive, FUTEX_WAIT_BITSET, alive, (long)&until,
                               0, (long)FUTEX_BITSET_MATCH_ANY);
        if (result == -ETIMEDOUT && atomic_load(&h->alive) != 0) {
            h->abandoned = true;
            return ETIMEDOUT;
        }
    }
}

void helper_free(struct helper *h)
{
    if (!h->abandoned)
        sys_munmap(h, h->mapped);
}
