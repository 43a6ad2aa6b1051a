#include "supervise/range.h"

#include "base/sys.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>

static bool is_open(unsigned thread, int fd)
{
    char path[48];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%u/fd/%d", thread, fd);
    return fd >= 0 && lstat(path, &st) == 0;
}

static bool is_duplicating(int number, unsigned flags)
{
#ifdef SYS_dup2
    if (number == SYS_dup2)
        return true;
#endif
    return number == SYS_dup3 && (flags & ~(unsigned)O_CLOEXEC) == 0;
}

/* One that is open may lie beyond, where the limit was lowered since. */
static bool is_within_limit(unsigned thread, unsigned fd)
{
    struct rlimit limit;
    return prlimit((int)thread, RLIMIT_NOFILE, NULL, &limit) < 0 || fd < limit.rlim_cur;
}

static int limited(unsigned fd)
{
    return fd > INT_MAX ? INT_MAX : (int)fd;
}

/* A call that fails closes nothing, and that is not left to the kernel to find out: a dead
 * descriptor may be put in the place of what it names. Of a range with CLOSE_RANGE_UNSHARE it is a
 * copy of the table that loses them. */
bool range_of(const struct seccomp_notif *call, struct range *range)
{
    const unsigned a = (unsigned)call->data.args[0];
    const unsigned b = (unsigned)call->data.args[1];
    const unsigned c = (unsigned)call->data.args[2];
    if (call->data.nr == SYS_close)
        *range = (struct range){(int)a, (int)a};
    else if (is_duplicating(call->data.nr, c) && a != b && is_open(call->pid, (int)a) &&
             is_within_limit(call->pid, b))
        *range = (struct range){(int)b, (int)b};
    else if (call->data.nr == SYS_close_range && a <= b && c == 0)
        *range = (struct range){limited(a), limited(b)};
    else
        return false;
    return range->first >= 0;
}

bool range_is_exit(const struct seccomp_notif *call)
{
    return call->data.nr == SYS_exit_group;
}
