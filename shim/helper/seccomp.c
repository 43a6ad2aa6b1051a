#include "helper/seccomp.h"

#include "base/status.h"
#include "base/sys.h"
#include "base/text.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>

enum state { STATE_UNKNOWN, STATE_NONE, STATE_OF_CONTAINER, STATE_ON };
static _Atomic int state;     /* enum state */
static _Atomic int looked_in; /* the pid */
static const char *glibc;     /* its version */

SYS_AT_START void seccomp_start(const char *version)
{
    glibc = version;
}

/* Where there is no /proc, filters is -1, and only the first process itself knows. */
static bool first_process_has_as_many(long filters)
{
    static const char *const name = "Seccomp_filters:";
    long of_first;
    if (filters < 0)
        return sys_getpid() == 1;
    return filters > 0 && status_read("/proc/1/status", &name, &of_first, 1) && of_first == filters;
}

static enum state look(void)
{
    static const char *const names[] = {"Seccomp:", "Seccomp_filters:"};
    long values[2];
    status_read("/proc/self/status", names, values, 2);
    long mode = values[0];
    if (mode < 0) /* the last way to ask, since a filter may kill for it, too */
        mode = sys_call(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0, 0);
    if (mode <= 0)
        return STATE_NONE;
    return first_process_has_as_many(values[1]) ? STATE_OF_CONTAINER : STATE_ON;
}

bool seccomp_is_on(void)
{
    if (atomic_load(&state) == STATE_UNKNOWN) {
        atomic_store(&looked_in, sys_getpid());
        atomic_store(&state, look());
    }
    return atomic_load(&state) != STATE_NONE;
}

bool seccomp_may_kill(void)
{
    return seccomp_is_on() && atomic_load(&state) != STATE_OF_CONTAINER;
}

/* Since 2.34 glibc makes threads by clone3, and by clone where that is answered with ENOSYS. */
static bool libc_uses_clone3(void)
{
    return glibc != NULL && strncmp(glibc, "2.", 2) == 0 && text_number(glibc + 2) >= 34;
}

enum seccomp_clone seccomp_clone(void)
{
    bool forked = sys_getpid() != atomic_load(&looked_in);
    if (atomic_load(&state) == STATE_OF_CONTAINER || (forked && glibc != NULL))
        return SECCOMP_CLONE_PASSES;
    if (sys_threads() == 1)
        return SECCOMP_CLONE_IN_DOUBT;
    return libc_uses_clone3() ? SECCOMP_CLONE_AS_LIBC : SECCOMP_CLONE_PASSES;
}
