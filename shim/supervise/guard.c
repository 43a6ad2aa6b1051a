#include "supervise/guard.h"

#include "base/sys.h"
#include "helper/log.h"
#include "supervise/slots.h"
#include "supervise/worker.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int pidfd_of(int pid)
{
    return (int)sys_call(SYS_pidfd_open, pid, 0, 0, 0, 0, 0);
}

/* Descriptors that are this process's alone. */
static void shed(int pidfd)
{
    if (pidfd >= 0)
        close(pidfd);
}

static int make_dispatcher(struct service *service, int *pid)
{
    int self = pidfd_of(getpid());
    *pid = fork();
    if (*pid == 0)
        dispatch_run(service, self);
    shed(self);
    if (service->ready >= 0)
        close(service->ready);
    service->ready = -1;
    return *pid < 0 ? -1 : pidfd_of(*pid);
}

static bool is_over(void)
{
    struct pollfd listener = {slots_listener(), 0, 0};
    return poll(&listener, 1, 0) > 0 && (listener.revents & POLLHUP) != 0;
}

/* With no process to answer, what asks goes on. */
static void answer_oneself(void)
{
    struct pollfd listener = {slots_listener(), POLLIN, 0};
    if (poll(&listener, 1, 1000) <= 0 || (listener.revents & POLLIN) == 0)
        return;
    int slot = slots_receive();
    if (slot >= 0)
        slots_continue(slot);
}

static _Noreturn void watch(struct service *service, int dispatcher, int pid)
{
    bool program_is_there = true;
    for (;;) {
        struct pollfd watched[] = {{dispatcher, POLLIN, 0},
                                   {program_is_there ? service->program : -1, POLLIN, 0}};
        if (dispatcher >= 0 && poll(watched, 2, -1) < 0)
            continue;
        if (dispatcher >= 0 && watched[1].revents != 0) {
            worker_leave_stderr();
            program_is_there = false;
        }
        if (dispatcher >= 0 && watched[0].revents == 0)
            continue;
        shed(dispatcher);
        const bool over = is_over();
        while (waitpid(-1, NULL, over ? 0 : WNOHANG) > 0)
            ; /* the workers, whose parent it was */
        if (over)
            _exit(0);
        log_say(LOG_WARN, "the process that answers for --supervise was killed; another one takes "
                          "its place, and a close that waited may have gone on");
        slots_continue_all_of(pid);
        dispatcher = make_dispatcher(service, &pid);
        if (dispatcher < 0)
            answer_oneself();
    }
}

_Noreturn void guard_run(struct service *service)
{
    int pid;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    int dispatcher = make_dispatcher(service, &pid);
    watch(service, dispatcher, pid);
}

int guard_make(struct service *service)
{
    const int dispatcher = getpid();
    const int pidfd = pidfd_of(dispatcher);
    int pid = fork();
    if (pid == 0) {
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        watch(service, pidfd, dispatcher);
    }
    shed(pidfd);
    return pid < 0 ? -1 : pidfd_of(pid);
}
