#include "wait/last_look.h"

#include "base/sys.h"
#include "base/text.h"

#include <errno.h>

/* The process's own POSIX locks stand in the way of an OFD lock as everybody's do (fcntl(2)). */
struct last_look last_look_at(int fd, bool exists)
{
    struct last_look l = {.exists = exists};
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    if (sys_fcntl(fd, F_OFD_GETLK, (long)&lock) < 0 ||
        (lock.l_type != F_UNLCK && lock.l_pid == sys_getpid()))
        return l;
    l.look = lock.l_type == F_UNLCK ? LOOK_FREE : LOOK_HELD;
    l.pid = lock.l_pid;
    l.type = lock.l_type;
    return l;
}

void last_look_begin(const struct last_look *look, struct wait_request *wait)
{
    wait->alone = look->alone;
    wait->asked = look->free;
}

void last_look_apply(const struct last_look *look, const struct wait_request *wait,
                     struct wait_result *result)
{
    const bool missed = result->outcome == OUTCOME_GONE && result->sleeps == 0 && look->exists;
    if (missed && look->look == LOOK_FREE && wait->until == UNTIL_UNLOCKED &&
        !profile_has_flocks(wait->profile)) {
        result->outcome = OUTCOME_SETTLED_AT_ONCE;
    } else if (missed) {
        result->outcome = OUTCOME_UNEXAMINED;
        result->error = ENOENT;
        result->reason = "its path no longer leads to it from here: renamed, or another root "
                         "directory or mount namespace";
        str_copy(result->file, sizeof result->file, wait->path);
    }
    if (result->outcome != OUTCOME_UNEXAMINED)
        return;
    result->holder = look->look == LOOK_HELD ? holder_of_lock(look->type, look->pid)
                                             : (struct holder){.hold = HOLD_NONE};
    if (look->look == LOOK_HELD && wait->holders != NULL) {
        holders_complete_one(&result->holder);
        wait->holders->list[0] = result->holder;
        wait->holders->count = 1;
    }
}
