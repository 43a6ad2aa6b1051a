#include "helper/seccomp.h"

#include "base/sys.h"
#include "base/text.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>

/* Absent in other libcs. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

enum state { STATE_UNKNOWN, STATE_NONE, STATE_OF_CONTAINER, STATE_ON };
static _Atomic int state;     /* enum state */
static _Atomic int looked_in; /* the pid */

/* The number after `name` in a file of lines "Name:\tvalue" (proc(5), /proc/pid/status); -1 if
 * there is none. */
static long field(const char *lines, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = lines; line != NULL && *line != '\0';) {
        if (strncmp(line, name, length) == 0)
            return text_number(line + length + strspn(line + length, "\t "));
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return -1;
}

/* False where /proc does not show it. */
static bool read_status(const char *path, char *out, size_t size)
{
    int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    size_t length = 0;
    long got;
    while (length < size - 1 && (got = sys_read(fd, out + length, size - 1 - length)) > 0)
        length += (size_t)got;
    sys_close(fd);
    out[length] = '\0';
    return length > 0;
}

/* Where there is no /proc, filters is -1, and only the first process itself knows. */
static bool first_process_has_as_many(long filters)
{
    char status[4096];
    if (filters < 0)
        return sys_getpid() == 1;
    return filters > 0 && read_status("/proc/1/status", status, sizeof status) &&
           field(status, "Seccomp_filters:") == filters;
}

static enum state look(void)
{
    char status[4096];
    long mode = -1;
    if (read_status("/proc/self/status", status, sizeof status))
        mode = field(status, "Seccomp:");
    else
        status[0] = '\0';
    if (mode < 0) /* the last way to ask, since a filter may kill for it, too */
        mode = sys_call(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0, 0);
    if (mode <= 0)
        return STATE_NONE;
    return first_process_has_as_many(field(status, "Seccomp_filters:")) ? STATE_OF_CONTAINER
                                                                        : STATE_ON;
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
    const char *version = gnu_get_libc_version == NULL ? "" : gnu_get_libc_version();
    return strncmp(version, "2.", 2) == 0 && text_number(version + 2) >= 34;
}

enum seccomp_clone seccomp_clone(void)
{
    bool forked = sys_getpid() != atomic_load(&looked_in);
    if (atomic_load(&state) == STATE_OF_CONTAINER || (forked && gnu_get_libc_version != NULL))
        return SECCOMP_CLONE_PASSES;
    if (sys_threads() == 1)
        return SECCOMP_CLONE_IN_DOUBT;
    return libc_uses_clone3() ? SECCOMP_CLONE_AS_LIBC : SECCOMP_CLONE_PASSES;
}
