#include "track/process.h"

#include "base/sys.h"
#include "helper/seccomp.h"
#include "track/books.h"

#include <sys/prctl.h>

static struct process_books *const own = &BOOKS.process;

/* The process in which this thread left the table of its process; 0: in none. A fork child of the
 * thread is another process, with one table again. */
static __thread int left_table_in __attribute__((tls_model("initial-exec")));

static int first; /* the process that process_start was called in */
static process_self *self;
static process_clock *clock_of;
static atomic_bool is_stopped;

SYS_AT_START void process_start(process_self *pthread_self, process_clock *pthread_getcpuclockid)
{
    first = sys_getpid();
    self = pthread_self;
    clock_of = pthread_getcpuclockid;
}

bool process_is_stopped(void)
{
    return atomic_load_explicit(&is_stopped, memory_order_relaxed);
}

static void *fresh_pages(size_t size)
{
    void *pages = sys_mmap(size);
    if (pages != NULL && sys_madvise(pages, size, MADV_WIPEONFORK) < 0) {
        sys_munmap(pages, size);
        pages = NULL;
    }
    return pages;
}

/* What libc tells the kernel for each of its threads, fork children included: where to clear their
 * number at their end. A vfork child has no such place (clone(2), CLONE_CHILD_CLEARTID). The kernel
 * answers where it was built for checkpoints (CONFIG_CHECKPOINT_RESTORE), as those of distributions
 * are. */
static bool has_tid_address(void)
{
    void *address = NULL;
    return sys_call(SYS_prctl, PR_GET_TID_ADDRESS, (long)&address, 0, 0, 0, 0) == 0 &&
           address != NULL;
}

/* Libc keeps the thread's number, and corrects it in a fork child; a vfork child has that of its
 * parent. A thread's clock is made of it (CPUCLOCK_PID in the kernel's posix-timers.h). */
static bool libc_knows_this_thread(void)
{
    clockid_t clock;
    if (self == NULL || clock_of == NULL || clock_of(self(), &clock) != 0)
        return has_tid_address();
    return ~(clock >> 3) == sys_gettid();
}

/* The tables of a process that has had no store yet are empty and nobody's, and a vfork child of it
 * must not take them. The pid does not tell the two apart, but of the process that the library was
 * loaded into. Where a filter may kill for the question, whoever comes first moves in. */
static bool may_move_in(int pid)
{
    return pid == first || seccomp_may_kill() || libc_knows_this_thread();
}

/* The process's number, where it is that of the books; else 0. */
static int at_home(void)
{
    if (process_is_stopped())
        return 0;
    int pid = sys_getpid();
    int home = atomic_load(&own->home);
    if (home == 0 && may_move_in(pid) && books_ready() &&
        atomic_compare_exchange_strong(&own->home, &home, pid))
        return pid;
    return home == pid ? home : 0;
}

void process_stop(bool stopped)
{
    atomic_store(&is_stopped, stopped);
}

bool process_at_home(void)
{
    return at_home() != 0;
}

int process_home(void)
{
    return atomic_load(&own->home);
}

/* Of two threads that try, one's pages stay. */
bool process_publish(void *_Atomic *pointer, size_t size)
{
    if (atomic_load(pointer) != NULL)
        return true;
    void *pages = books_ready() ? fresh_pages(size) : NULL;
    void *none = NULL;
    if (pages == NULL)
        return atomic_load(pointer) != NULL;
    if (!atomic_compare_exchange_strong(pointer, &none, pages))
        sys_munmap(pages, size);
    return true;
}

int process_of_thread(void)
{
    int home = at_home();
    return home != left_table_in ? home : 0;
}

bool process_thread_at_home(void)
{
    return process_of_thread() != 0;
}

bool process_thread_has_left(void)
{
    return left_table_in != 0 && left_table_in == process_home();
}

void process_thread_left(void)
{
    left_table_in = process_home();
}

sys_sigset process_hold_signals(void)
{
    const sys_sigset all = ~0ull;
    sys_sigset old;
    sys_sigmask(SIG_SETMASK, &all, &old);
    return old;
}

void process_let_signals(sys_sigset old)
{
    sys_sigmask(SIG_SETMASK, &old, NULL);
}
