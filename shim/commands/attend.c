#include "commands/attend.h"

#include "base/sys.h"
#include "commands/interrupt.h"
#include "commands/progress.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The first deadline of all that are later than the last. */
static uint64_t deadline_after(const struct target *targets, unsigned n, uint64_t last)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < n; i++)
        if (targets[i].waits && targets[i].deadline > last && targets[i].deadline < next)
            next = targets[i].deadline;
    return next;
}

/* Those with the first deadline first, so that nobody's time is spent on one that has more.
 * current: the number of the target that is waited for, for the parent to see. */
static void wait_for_all(struct target *targets, unsigned n, _Atomic unsigned *current)
{
    uint64_t deadline = 0;
    while ((deadline = deadline_after(targets, n, deadline)) != UINT64_MAX)
        for (unsigned i = 0; i < n; i++) {
            if (!targets[i].waits || targets[i].deadline != deadline)
                continue;
            atomic_store(current, i);
            target_wait(&targets[i], deadline);
        }
}

/* Until the child has answered, or has ended without one. */
static bool await_answer(int answer, pid_t child, const struct target *targets,
                         const _Atomic unsigned *current)
{
    const struct timespec interval = {.tv_nsec = 100000000};
    const bool shown = progress_wanted();
    struct pollfd entry = {.fd = answer, .events = POLLIN};
    sigset_t before;
    int ready;
    interrupt_catch(&before);
    while ((ready = ppoll(&entry, 1, shown ? &interval : NULL, &before)) <= 0) {
        if (interrupt_seen() != 0) {
            progress_erase();
            kill(child, SIGKILL);
            interrupt_end(&before);
        }
        if (ready == 0)
            progress_draw(&targets[atomic_load(current)]);
    }
    progress_erase();
    sigprocmask(SIG_SETMASK, &before, NULL);
    char byte;
    return read(answer, &byte, 1) == 1;
}

/* The child has all signals blocked from its first moment on. */
static pid_t fork_without_signals(void)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    if (child != 0)
        sigprocmask(SIG_SETMASK, &before, NULL);
    return child;
}

/* A process that has set an inotify watch takes 5 to 24 ms to end (watch.c). So a child does the
 * waiting and says when it is done, and ends when it ends, with nothing of ours open any more. No
 * signal but the one at the parent's end concerns it. */
void attend(struct target *targets, unsigned n)
{
    int answer[2] = {-1, -1};
    _Atomic unsigned *current =
        mmap(NULL, sizeof *current, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    _Atomic unsigned alone;
    pid_t child =
        current == MAP_FAILED || pipe2(answer, O_CLOEXEC) < 0 ? -1 : fork_without_signals();
    if (child < 0) {
        wait_for_all(targets, n, &alone);
        return;
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        wait_for_all(targets, n, current);
        close(0);
        close(1);
        close(2);
        _exit(write(answer[1], "", 1) == 1 ? 0 : 1);
    }
    close(answer[1]);
    if (!await_answer(answer[0], child, targets, current))
        fprintf(stderr, "settle-wait: the process that did the waiting was ended from outside\n");
    close(answer[0]);
}
