/* A process under the supervisor's filter, that makes the system calls which it is told to make:
 * for tests of what answers them, and the set-up of those that have one for each test. */
#ifndef SETTLE_ASKED_H
#define SETTLE_ASKED_H

#include "supervise/filter.h"
#include "supervise/slots.h"
#include "unit.h"

#include <errno.h>
#include <linux/seccomp.h>

enum { NO_RESULT = -4711 };
enum { PATIENCE = 10000, A_MOMENT = 100 }; /* ms */

struct asked {
    pid_t pid;
    int listener;
    int tell, hear;
};

struct asked_call {
    long number, a, b, c;
};

static inline _Noreturn void asked_live(int hear, int tell)
{
    struct asked_call call;
    const char *why;
    const int listener = filter_install(false, &why);
    if (write(tell, &listener, sizeof listener) != sizeof listener)
        _exit(1);
    while (read(hear, &call, sizeof call) == sizeof call) {
        const long result = sys_call(call.number, call.a, call.b, call.c, 0, 0, 0);
        if (write(tell, &result, sizeof result) != sizeof result)
            break;
    }
    _exit(0);
}

/* What it has open is what the test has. */
static inline struct asked asked_begin(void)
{
    int to[2];
    int from[2];
    int listener = -1;
    cr_assert_eq(pipe2(to, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(from, O_CLOEXEC), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        asked_live(to[0], from[1]);
    }
    cr_assert_eq(read(from[0], &listener, sizeof listener), (ssize_t)sizeof listener);
    cr_assert_geq(listener, 0, "no filter: %d", listener);
    const int process = (int)sys_call(SYS_pidfd_open, pid, 0, 0, 0, 0, 0);
    struct asked made = {pid, (int)sys_call(SYS_pidfd_getfd, process, listener, 0, 0, 0, 0), to[1],
                         from[0]};
    cr_assert_geq(made.listener, 0);
    close(process);
    return made;
}

/* Has it make a call, which somebody is to answer now. */
static inline void asked_call(const struct asked *p, long number, long a, long b, long c)
{
    const struct asked_call call = {number, a, b, c};
    cr_assert_eq(write(p->tell, &call, sizeof call), (ssize_t)sizeof call);
}

/* What the call returned; NO_RESULT: it has not, in that time. */
static inline long asked_result(const struct asked *p, int ms)
{
    struct pollfd heard = {p->hear, POLLIN, 0};
    long result = NO_RESULT;
    if (poll(&heard, 1, ms) > 0)
        cr_assert_eq(read(p->hear, &result, sizeof result), (ssize_t)sizeof result);
    return result;
}

/* Another one, that may have calls and does nothing about them. It outlives its parent, for a time.
 */
static inline pid_t another_process(void)
{
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        for (;;)
            pause();
    }
    return pid;
}

static inline void asked_end(const struct asked *p)
{
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, __WALL);
}

/* The one of a test; its calls are received in slots. */
static struct asked asked;

static inline void asked_set_up(void)
{
    asked = asked_begin();
    cr_assert(slots_start(asked.listener));
}

static inline void asked_tear_down(void)
{
    asked_end(&asked);
}

/* The close of a descriptor that is not open. */
static inline int receive_a_close(void)
{
    asked_call(&asked, SYS_close, 777, 0, 0);
    const int slot = slots_receive();
    cr_assert_geq(slot, 0, "%s", strerror(errno));
    return slot;
}

#endif
