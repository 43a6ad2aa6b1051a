#include "preload/children.h"

#include "base/path.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"
#include "config/settings.h"
#include "preload/real.h"

#include <link.h>
#include <string.h>

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* By the name that it was called by, since several programs can be one file (busybox). */
static bool program_is_env(void)
{
    char *name = scratch_take();
    if (name == NULL)
        return false;
    int fd = sys_openat(AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
    long length = fd < 0 ? -1 : sys_read(fd, name, SCRATCH_SIZE - 1);
    if (fd >= 0)
        sys_close(fd);
    name[length > 0 ? length : 0] = '\0';
    bool is_env = str_equal(path_name(name), "env");
    scratch_give(name);
    return is_env;
}

/* The name of the library's file. */
static const char *own_name(void)
{
    Dl_info info;
    bool known = real.dladdr != NULL && real.dladdr((void *)children_release, &info) != 0 &&
                 info.dli_fname != NULL;
    return known ? path_name(info.dli_fname) : "libsettle.so";
}

/* Takes the library out of a list as ld.so(8) reads it, separated by colons and spaces; false if
 * nothing is left. By the last part of the path, which may begin with $LIB. */
static bool leave_out_library(char *list)
{
    const char *own = own_name();
    char *to = list;
    for (const char *at = list; *at != '\0';) {
        size_t length = strcspn(at, ": ");
        char separator = at[length];
        size_t name = length;
        while (name > 0 && at[name - 1] != '/')
            name--;
        bool is_own = length - name == strlen(own) && strncmp(at + name, own, length - name) == 0;
        if (!is_own) {
            memmove(to, at, length);
            to += length;
            *to = separator;
            to += separator != '\0';
        }
        at += length + (separator != '\0');
    }
    while (to > list && (to[-1] == ':' || to[-1] == ' '))
        to--;
    *to = '\0';
    return list[0] != '\0';
}

void children_release(char **environment)
{
    static const char before[] = "SETTLE_BEFORE_";
    static const char preload[] = "LD_PRELOAD=";
    bool recorded = settings_variable(environment, "SETTLE_BEFORE") != NULL;
    char **kept = environment;
    if (environment == NULL || program_is_env())
        return;
    for (char **at = environment; *at != NULL; at++) {
        char *entry = *at;
        bool stays = !begins_with(entry, "SETTLE_");
        if (begins_with(entry, before)) {
            entry += sizeof before - 1; /* whose rest is the whole entry */
            stays = true;
        } else if (begins_with(entry, preload)) {
            stays = !recorded && leave_out_library(entry + sizeof preload - 1);
        }
        if (stays)
            *kept++ = entry;
    }
    *kept = NULL;
}
