#include "supervise/worker.h"

#include "base/sys.h"
#include "helper/record.h"
#include "helper/subject.h"
#include "holders/proc.h"
#include "supervise/attendant.h"
#include "supervise/mirror.h"
#include "supervise/peek.h"
#include "track/process.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static _Atomic int process = -1; /* pidfd */
static int news[2];              /* a pipe: it is known by now, or the calls have ended */
static atomic_bool ended;

static void name_program(int pid)
{
    static char path[PATH_MAX];
    char link[32];
    snprintf(link, sizeof link, "/proc/%d/exe", pid);
    if (record_wanted() && readlink(link, path, sizeof path - 1) > 0)
        record_program(path);
}

static void tell_news(void)
{
    if (write(news[1], "", 1) < 0)
        _exit(1);
}

static void end(void)
{
    atomic_store(&ended, true);
    tell_news();
}

static void begin(int thread)
{
    int pid = peek_process_of(thread);
    subject_set_process(pid);
    mirror_start(pid);
    name_program(pid);
    process = (int)sys_call(SYS_pidfd_open, pid, 0, 0, 0, 0, 0);
    tell_news();
}

void worker_leave_stderr(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, 2);
        close(null);
    }
}

static void nothing(int signal)
{
    (void)signal;
}

_Noreturn void worker_run(int calls, int program)
{
    enum { PROGRAM, PROCESS, NEWS, WATCHED };
    char byte;
    prctl(PR_SET_NAME, "settle-worker", 0, 0, 0);
    signal(SIGTERM, nothing); /* ends a wait (attendant.c) */
    if (!process_at_home() || pipe2(news, O_CLOEXEC) < 0 || !attendant_start(calls, begin, end))
        _exit(1);
    struct pollfd watched[WATCHED] = {{program, POLLIN, 0}, {-1, POLLIN, 0}, {news[0], POLLIN, 0}};
    for (;;) {
        if (poll(watched, WATCHED, -1) < 0)
            continue;
        if (watched[NEWS].revents != 0 && read(news[0], &byte, 1) == 1)
            watched[PROCESS].fd = process;
        if (watched[PROCESS].revents != 0 || atomic_load(&ended))
            _exit(0);
        if (watched[PROGRAM].revents != 0) {
            worker_leave_stderr();
            watched[PROGRAM].fd = -1;
        }
    }
}
