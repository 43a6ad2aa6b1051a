#include "supervise/guard.h"

#include "base/sys.h"
#include "helper/log.h"
#include "supervise/slots.h"
#include "supervise/worker.h"

#include <poll.h>
#include <signal.h>
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

static int make_dispatcher(struct service *service)
{
    int self = pidfd_of(getpid());
    int pid = fork();
    if (pid == 0)
        dispatch_run(service, self);
    shed(self);
    if (service->ready >= 0)
        close(service->ready);
    service->ready = -1;
    return pid < 0 ? -1 : pidfd_of(pid);
}

static bool is_over(void)
{
    struct pollfd listener = {slots_listener(), 0, 0};
    return poll(&listener, 1, 0) > 0 && (listener.revents & POLLHUP) != 0;
}

/* Those whose parent it was, too. */
static void reap(int how)
{
    while (waitpid(-1, NULL, how) > 0)
        ;
    slots_continue_lost();
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

static void wake(int signal)
{
    (void)signal; /* a child has ended: it interrupts the poll */
}

static void await_end(struct service *service, int dispatcher)
{
    enum { DISPATCHER, PROGRAM, WATCHED };
    static bool program_is_gone;
    sigset_t none;
    sigemptyset(&none);
    struct pollfd watched[WATCHED] = {{dispatcher, POLLIN, 0}, {service->program, POLLIN, 0}};
    while (watched[DISPATCHER].revents == 0) {
        watched[PROGRAM].fd = program_is_gone ? -1 : service->program;
        if (ppoll(watched, WATCHED, NULL, &none) < 0) {
            watched[DISPATCHER].revents = 0;
            reap(WNOHANG);
        } else if (watched[PROGRAM].revents != 0) {
            worker_leave_stderr();
            program_is_gone = true;
        }
    }
}

static _Noreturn void watch(struct service *service, int dispatcher)
{
    const struct sigaction on_child = {.sa_handler = wake};
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    sigaction(SIGCHLD, &on_child, NULL);
    prctl(PR_SET_NAME, "settle-guard", 0, 0, 0);
    for (;;) {
        if (dispatcher >= 0)
            await_end(service, dispatcher);
        shed(dispatcher);
        const bool over = is_over();
        reap(over ? 0 : WNOHANG);
        if (over)
            _exit(0);
        if (dispatcher >= 0)
            log_say(LOG_WARN, "the process that answers for --supervise was killed; another one "
                              "takes its place, and a close that waited may have gone on");
        dispatcher = make_dispatcher(service);
        if (dispatcher < 0)
            answer_oneself();
    }
}

_Noreturn void guard_run(struct service *service)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    watch(service, make_dispatcher(service));
}

int guard_make(struct service *service)
{
    const int self = pidfd_of(getpid());
    int pid = fork();
    if (pid == 0) {
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        watch(service, self);
    }
    shed(self);
    return pid < 0 ? -1 : pidfd_of(pid);
}
