#include "supervise/workers.h"

#include "base/clock.h"
#include "helper/log.h"
#include "supervise/peek.h"
#include "supervise/slots.h"
#include "supervise/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t often = 100000000; /* ns */

struct worker {
    int process; /* of the program; 0: none yet */
    int pid;
    int calls; /* the pipe */
};

static struct worker *workers;
static unsigned count, room;
static struct worker spare = {.pid = 0};

static int program;
static void (*leave_dispatcher)(void);
static bool have_calls = true; /* some worker may have: of whom we know, and of whom we do not */
static uint64_t asked;

void workers_start(int pidfd, void leave(void))
{
    program = pidfd;
    leave_dispatcher = leave;
    workers_make_spare();
}

static void close_what_is_anothers(void)
{
    for (unsigned i = 0; i < count; i++)
        close(workers[i].calls);
    leave_dispatcher();
}

void workers_make_spare(void)
{
    int ends[2];
    if (spare.pid != 0 || pipe2(ends, O_CLOEXEC) < 0)
        return;
    int pid = fork();
    if (pid == 0) {
        close(ends[1]);
        close_what_is_anothers();
        worker_run(ends[0], program);
    }
    close(ends[0]);
    if (pid < 0) {
        close(ends[1]);
        return;
    }
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    spare = (struct worker){.pid = pid, .calls = ends[1]};
}

static struct worker *worker_of(int process)
{
    for (unsigned i = 0; i < count; i++)
        if (workers[i].process == process)
            return &workers[i];
    return NULL;
}

bool workers_has(int thread)
{
    return count > 0 && worker_of(peek_process_of(thread)) != NULL;
}

static struct worker *assign(int process)
{
    if (count == room) {
        unsigned wanted = room == 0 ? 16 : 2 * room;
        struct worker *more = realloc(workers, wanted * sizeof *more);
        if (more == NULL)
            return NULL;
        workers = more;
        room = wanted;
    }
    workers_make_spare();
    if (spare.pid == 0)
        return NULL;
    spare.process = process;
    workers[count] = spare;
    spare.pid = 0;
    return &workers[count++];
}

static void tell_no_worker(void)
{
    static bool told;
    if (!told)
        log_say(LOG_WARN, "no process, memory or place for one more close that would wait: it does "
                          "not");
    told = true;
}

static void forget(int pid)
{
    if (spare.pid == pid) {
        close(spare.calls);
        spare.pid = 0;
    }
    for (unsigned i = 0; i < count; i++)
        if (workers[i].pid == pid) {
            close(workers[i].calls);
            workers[i] = workers[--count];
        }
}

/* One that has ended takes nothing; and its end need not have been seen, since a dispatcher that
 * was forked by a guard which one had forked has that one's workers, too. */
void workers_hand_over(int slot, int process)
{
    for (int tries = 0; tries < 3; tries++) {
        struct worker *w = worker_of(process);
        if (w == NULL)
            w = assign(process);
        int taken = w == NULL ? -1 : slots_hand_over(slot, w->pid);
        if (taken < 0)
            break;
        slot = taken;
        if (write(w->calls, &taken, sizeof taken) == sizeof taken) {
            have_calls = true;
            return;
        }
        if (errno != EPIPE)
            break;
        forget(w->pid);
    }
    tell_no_worker();
    slots_continue(slot);
}

/* --- their ends --- */

static void reap(void)
{
    int pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        forget(pid);
}

uint64_t workers_look_after(bool signalled)
{
    if (!signalled && !have_calls)
        return UINT64_MAX;
    const uint64_t now = clock_now();
    if (!signalled && now - asked < often)
        return often - (now - asked);
    reap();
    have_calls = slots_continue_lost();
    asked = now;
    return have_calls ? often : UINT64_MAX;
}
