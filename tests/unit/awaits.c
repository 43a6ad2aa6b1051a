/* Who waits for this process: parents that sleep in wait, read or poll, and those that do not. */
#include "holders/awaits.h"
#include "base/sys.h"

#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/wait.h>

TestSuite(awaits, .timeout = 20);

static void *sit(void *unused)
{
    pause();
    return unused;
}

/* What this process does while a child, or a child's child, asks whether it awaits that. In those
 * with a pipe it sleeps until the child has ended, which has the end to write to; in FOREIGN
 * another child has it. */
enum { WAITS, READS, POLLS, WATCHES, SLEEPS, FOREIGN };
static struct {
    int does;
    unsigned generations;
    bool has_thread;
} scene;

static int ends[2];

static pid_t make_asker(int awaited)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    for (unsigned i = 1; i < scene.generations; i++) {
        pid_t next = fork();
        int status = 0;
        if (next > 0) {
            waitpid(next, &status, 0);
            _exit(WEXITSTATUS(status));
        }
    }
    close(ends[0]);
    if (scene.does == FOREIGN)
        close(ends[1]);
    sys_poll(-1, 0, 150 * MS); /* until it sleeps */
    _exit(awaits_us(awaited) ? 1 : 0);
}

static void watch(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    const int queue = epoll_create1(0);
    epoll_ctl(queue, EPOLL_CTL_ADD, ends[0], &event);
    epoll_wait(queue, &event, 1, 5000);
}

static void do_it(void)
{
    char byte;
    struct pollfd readable = {.fd = ends[0], .events = POLLIN};
    switch (scene.does) {
    case READS:
    case FOREIGN:
        cr_expect_eq(read(ends[0], &byte, 1), 0);
        break;
    case POLLS:
        poll(&readable, 1, 5000);
        break;
    case WATCHES:
        watch();
        break;
    case SLEEPS:
        sys_poll(-1, 0, 1);
        usleep(400000);
        break;
    default:
        break;
    }
}

static int ask(void)
{
    pthread_t sitting;
    int status = 0;
    if (pipe(ends) < 0 || (scene.has_thread && pthread_create(&sitting, NULL, sit, NULL) != 0))
        return 2;
    if (scene.does == FOREIGN && fork() == 0) {
        usleep(400000);
        _exit(0);
    }
    const pid_t asker = make_asker(getpid());
    close(ends[1]);
    do_it();
    waitpid(asker, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

static bool is_awaited(int does, unsigned generations, bool has_thread)
{
    scene.does = does;
    scene.generations = generations;
    scene.has_thread = has_thread;
    const int answer = in_child(ask);
    cr_expect_leq(answer, 1);
    return answer == 1;
}

Test(awaits, one_that_waits_for_its_child_awaits_that_and_its_children)
{
    cr_expect(is_awaited(WAITS, 1, false));
    cr_expect(is_awaited(WAITS, 2, false));
}

Test(awaits, one_that_reads_what_its_child_writes_awaits_it)
{
    cr_expect(is_awaited(READS, 1, false));
    cr_expect(is_awaited(READS, 2, false));
    cr_expect(is_awaited(POLLS, 1, false));
}

Test(awaits, one_that_can_do_something_else_awaits_nobody)
{
    cr_expect_not(is_awaited(WAITS, 1, true));
    cr_expect_not(is_awaited(READS, 1, true));
    cr_expect_not(is_awaited(WATCHES, 1, false), "an event loop");
    cr_expect_not(is_awaited(SLEEPS, 1, false));
    cr_expect_not(is_awaited(FOREIGN, 1, false), "what somebody else writes");
    cr_expect_not(awaits_us(getpid()), "itself");
}
