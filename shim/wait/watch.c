#include "wait/watch.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/sys.h"
#include "wait/pace.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>

struct watch watch_none(void)
{
    return (struct watch){.fd = -1, .file = -1, .directory = -1, .signals = -1, .name = ""};
}

static int add(int fd, const char *path, uint32_t mask)
{
    return (int)sys_call(SYS_inotify_add_watch, fd, (long)path, (long)mask, 0, 0, 0);
}

/* There is no watch_stop: to close an instance that has watches takes 5 to 24 ms (the kernel waits
 * for a grace period), so that is left to the end of the thread or process, after the answer has
 * been given. */
void watch_start(struct watch *w, const char *path)
{
    const uint32_t closes = IN_CLOSE_WRITE | IN_CLOSE_NOWRITE | IN_MODIFY;
    char directory[PATH_MAX];
    path_directory(directory, sizeof directory, path);
    w->name = path_name(path);
    w->fd = (int)sys_call(SYS_inotify_init1, IN_NONBLOCK | IN_CLOEXEC, 0, 0, 0, 0, 0);
    if (w->fd < 0) {
        w->fd = -1;
        return;
    }
    /* The directory also tells of the sidecars, whose removal is the last thing SQLite does in a
     * close. */
    w->directory = add(w->fd, directory, closes | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR);
    w->file = add(w->fd, path, closes | IN_DELETE_SELF | IN_MOVE_SELF);
    if (w->directory < 0 && w->file < 0) {
        sys_close(w->fd); /* an instance without watches closes at once */
        w->fd = -1;
    }
}

/* Who writes without a pause makes events as fast as they are read. What is left is taken the next
 * time. */
enum { READS_MOST = 64 };

/* An event is about the file if it is of the file itself or of one in its directory that has its
 * name as a beginning; other files of a busy directory are no reason to wake up. */
unsigned watch_take(const struct watch *w)
{
    _Alignas(struct inotify_event) char buffer[4096];
    unsigned relevant = 0;
    if (w->fd < 0)
        return 0;
    for (int reads = 0; reads < READS_MOST; reads++) {
        const long got = sys_read(w->fd, buffer, sizeof buffer);
        if (got <= 0)
            break;
        for (long at = 0; at < got;) {
            const struct inotify_event *event = (const void *)(buffer + at);
            bool about = event->wd == w->file || event->wd == -1 || /* -1: the queue overflowed */
                         (event->len > 0 && strncmp(event->name, w->name, strlen(w->name)) == 0);
            relevant += about;
            at += (long)(sizeof *event + event->len);
        }
    }
    return relevant;
}

/* One close, as the watch on the file and that on its directory tell it. */
unsigned watch_own_events(const struct watch *w)
{
    return (w->file >= 0 ? 1u : 0u) + (w->directory >= 0 ? 1u : 0u);
}

void watch_signals(struct watch *w, uint64_t signals)
{
    w->signals = (int)sys_call(SYS_signalfd4, -1, (long)&signals, sizeof signals,
                               O_NONBLOCK | O_CLOEXEC, 0, 0);
}

static bool came(struct watch *w)
{
    if (w->signals < 0 || sys_poll(w->signals, POLLIN, 0) <= 0)
        return false;
    sys_close(w->signals);
    w->signals = -1;
    return true;
}

/* What happens to other files is as good as nothing, but each time wakes us: a neighbour that
 * writes all the time took a fifth of a processor and more. */
static void be_deaf(struct watch *w, uint64_t now, uint64_t end, uint64_t longest)
{
    w->deaf = pace_deaf(w->deaf, w->others == 0 ? UINT64_MAX : now - w->others, longest);
    w->others = now;
    if (now < end)
        sys_poll(-1, 0, w->deaf < end - now ? w->deaf : end - now);
}

bool watch_sleep(struct watch *w, uint64_t ns)
{
    uint64_t end = clock_now() + ns;
    for (;;) {
        uint64_t now = clock_now();
        if (sys_poll_either(w->fd, w->signals, POLLIN, now < end ? end - now : 0) <= 0)
            return false;
        if (watch_take(w) > 0)
            return true;
        if (came(w))
            return false;
        now = clock_now();
        if (now >= end)
            return false;
        be_deaf(w, now, end, ns / 5);
    }
}
