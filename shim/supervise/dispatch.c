#include "supervise/dispatch.h"

#include "base/listing.h"
#include "base/sys.h"
#include "helper/log.h"
#include "helper/record.h"
#include "holders/proc.h"
#include "supervise/guard.h"
#include "supervise/peek.h"
#include "supervise/range.h"
#include "supervise/slots.h"
#include "supervise/worker.h"
#include "supervise/workers.h"
#include "track/in_place.h"
#include "track/sum.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static struct service *service;

/* --- the directories of threads --- */

/* The last ones of whom something was asked; a quarter of the descriptors that there may be, the
 * others are for the answers. A thread that ended and another one that has its number now are told
 * apart, since nothing can be read in the directory of the first. */
enum { DIRECTORIES = 64 };
static struct directory {
    int thread, fd;
} directories[DIRECTORIES];
static unsigned kept = DIRECTORIES;

static void limit_directories(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < DIRECTORIES)
        kept = limit.rlim_cur < 4 ? 1 : (unsigned)limit.rlim_cur / 4;
}

static int directory_of(int thread, bool anew)
{
    struct directory *d = &directories[(unsigned)thread % kept];
    if (d->thread == thread && !anew)
        return d->fd;
    if (d->thread != 0 && d->fd >= 0)
        close(d->fd);
    d->thread = thread;
    d->fd = peek_directory(thread);
    return d->fd;
}

static void tell_unseen(int thread)
{
    static bool told;
    if (told || !log_wants(LOG_WARN))
        return;
    told = true;
    struct log_line line;
    log_begin(&line, LOG_WARN);
    text_str(&line.text, "process ");
    text_int(&line.text, thread);
    text_str(&line.text, ": what it has open may not be looked at, so its closes do not wait: it "
                         "has other rights than this user, or is not dumpable");
    log_end(&line);
}

static bool look_in(int thread, int fd, struct peek *look)
{
    int directory = directory_of(thread, false);
    int error = directory < 0 ? ENOENT : peek_at(directory, fd, look);
    if (error == ENOENT || error == ESRCH) {
        directory = directory_of(thread, true);
        error = directory < 0 ? errno : peek_at(directory, fd, look);
    }
    if (error == EACCES || error == EPERM)
        tell_unseen(thread);
    return error == 0 && look->role != ROLE_NONE;
}

/* --- one call --- */

/* Then no close of it has anything to wait for, whichever is the last. */
static bool is_free(int thread, int fd, const struct peek *look)
{
    const struct recognised *found = &look->found;
    const int own = peek_open(directory_of(thread, false), fd);
    const bool is_free = own >= 0 && in_place_is_free_elsewhere(own, identity_of(&look->st),
                                                                found->profile, look->path);
    if (own >= 0)
        close(own);
    return is_free;
}

/* Whether a worker is to know of a descriptor that is closed, or is open at the end of its process.
 * A store's other files matter in a process that has had its primary open; and one that has had to
 * wait keeps books, of who outlasted a wait. */
static bool concerns(int thread, int fd, const struct peek *look, bool closes)
{
    if (look->role != ROLE_PRIMARY)
        return look->role != ROLE_NONE && workers_has(thread);
    return !closes || workers_has(thread) || !is_free(thread, fd, look);
}

static bool any_concerns(int thread, int first, int last, bool closes)
{
    static struct peek look;
    static struct listing listing;
    char path[32];
    if (first == last)
        return look_in(thread, first, &look) && concerns(thread, first, &look, closes);
    snprintf(path, sizeof path, "/proc/%d/fd", thread);
    if (listing_open(&listing, path) < 0)
        return false;
    const struct entry *entry;
    bool found = false;
    while (!found && (entry = listing_next(&listing)) != NULL) {
        int fd = (int)text_number(entry->name);
        found = entry->name[0] != '.' && fd >= first && fd <= last && look_in(thread, fd, &look) &&
                concerns(thread, fd, &look, closes);
    }
    listing_close(&listing);
    return found;
}

/* The directory of its threads has a link for each of them and two of its own (proc_task_getattr in
 * the kernel's fs/proc/base.c). Another way to ask takes three times as long; it is asked where
 * that is not so. */
static bool has_other_threads(int thread)
{
    struct stat tasks;
    struct proc_stat stat;
    const int directory = directory_of(thread, false);
    if (directory >= 0 && fstatat(directory, "../task", &tasks, 0) == 0 && tasks.st_nlink == 3)
        return false;
    return proc_read_stat(&stat, thread) && stat.threads > 1;
}

/* At its end one that has other threads may have closes under way, or to come. */
static bool exit_concerns(int thread)
{
    if (sum_wanted() || record_lists_used())
        return true;
    if (!has_other_threads(thread))
        return false;
    return workers_has(thread) || any_concerns(thread, 0, INT_MAX, false);
}

/* A file system may never answer: that of a dead host, or one that the program itself serves. Then
 * this process ends by SIGALRM, the guard lets the call go on and makes another one. */
enum { PATIENCE = 5 };

static void answer(int slot)
{
    const struct seccomp_notif *call = slots_get(slot);
    const int thread = (int)call->pid;
    struct range range;
    alarm(PATIENCE);
    bool concerned = range_is_exit(call) ? exit_concerns(thread)
                                         : range_of(call, &range) &&
                                               any_concerns(thread, range.first, range.last, true);
    alarm(0);
    if (concerned && thread != 0)
        workers_hand_over(slot, peek_process_of(thread));
    else
        slots_continue(slot);
}

/* --- its life --- */

static void close_directories(void)
{
    for (int i = 0; i < DIRECTORIES; i++)
        if (directories[i].thread != 0 && directories[i].fd >= 0)
            close(directories[i].fd);
}

static void wake(int signal)
{
    (void)signal; /* a worker has ended: it interrupts the poll */
}

static void say_ready(void)
{
    if (service->ready < 0)
        return;
    if (write(service->ready, "", 1) != 1)
        _exit(1);
    close(service->ready);
    service->ready = -1;
}

_Noreturn void dispatch_run(struct service *s, int guard)
{
    enum { CALLS, PROGRAM, GUARD, WATCHED };
    const struct sigaction on_child = {.sa_handler = wake};
    sigset_t none;
    sigset_t child;
    service = s;
    sigemptyset(&none);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    sigaction(SIGCHLD, &on_child, NULL);
    signal(SIGALRM, SIG_DFL);
    prctl(PR_SET_NAME, "settle-dispatch", 0, 0, 0);
    limit_directories();
    workers_start(s->program, close_directories);
    say_ready();
    struct pollfd watched[WATCHED] = {
        {slots_listener(), POLLIN, 0}, {s->program, POLLIN, 0}, {guard, POLLIN, 0}};
    bool signalled = false;
    for (;;) {
        const uint64_t patience = workers_look_after(signalled);
        const struct timespec timeout = sys_timespec(patience);
        int ready = ppoll(watched, WATCHED, patience == UINT64_MAX ? NULL : &timeout, &none);
        signalled = ready < 0;
        if (ready <= 0)
            continue;
        if ((watched[CALLS].revents & POLLIN) != 0) {
            int slot = slots_receive();
            if (slot >= 0)
                answer(slot);
        } else if (watched[CALLS].revents != 0) {
            _exit(0); /* nobody is under the filter any more */
        }
        if (watched[PROGRAM].revents != 0) {
            worker_leave_stderr();
            watched[PROGRAM].fd = -1;
        }
        if (watched[GUARD].revents != 0) {
            close(guard);
            watched[GUARD].fd = guard = guard_make(service);
        }
        workers_make_spare();
    }
}
