#include "preload/replaced.h"

#include "base/sys.h"
#include "helper/log.h"
#include "track/process.h"
#include "track/track.h"

#include <stdatomic.h>
#include <string.h>

static const char *first_list; /* as the program got it, in its first stack */

/* Shared with fork children, so that one of many speaks. */
static atomic_bool own_said;
static atomic_bool *_Atomic shared_said;

/* A list as ld.so(8) reads it, separated by colons and spaces. By the name that the library's file
 * has when it is installed: to ask the loader would take its lock. */
static bool lists_library(const char *list)
{
    static const char own[] = "libsettle";
    for (const char *at = list; *at != '\0';) {
        const char *name = at;
        for (; *at != '\0' && *at != ':' && *at != ' '; at++)
            if (*at == '/')
                name = at + 1;
        if (strncmp(name, own, sizeof own - 1) == 0)
            return true;
        at += *at != '\0';
    }
    return false;
}

/* At each start of a process, so most variables are told by their first letter. */
SYS_AT_START static const char *list_in(char *const *environment)
{
    static const char name[] = "LD_PRELOAD=";
    for (; sys_is_address(environment) && *environment != NULL; environment++)
        if (**environment == name[0] && strncmp(*environment, name, sizeof name - 1) == 0)
            return *environment + sizeof name - 1;
    return NULL;
}

SYS_AT_START void replaced_start(char *const *environment)
{
    first_list = list_in(environment);
}

/* One that has none any more is meant so. */
static bool is_replaced(char *const *environment)
{
    const char *list = list_in(environment);
    return list != NULL && *list != '\0' && !lists_library(list) && lists_library(first_list);
}

void replaced_before_fork(void)
{
    if (first_list == NULL || atomic_load(&shared_said) != NULL || !track_is_on())
        return;
    atomic_bool *page = sys_mmap_shared(sizeof *page);
    atomic_bool *none = NULL;
    if (page == NULL)
        return;
    atomic_store(page, atomic_load(&own_said));
    if (!atomic_compare_exchange_strong(&shared_said, &none, page))
        sys_munmap(page, sizeof *page);
}

static bool is_said(void)
{
    atomic_bool *shared = atomic_load(&shared_said);
    return atomic_exchange(shared != NULL ? shared : &own_said, true);
}

void replaced_check(const char *path, char *const *environment)
{
    if (first_list == NULL || path == NULL || !track_is_on() || !is_replaced(environment) ||
        !process_at_home() || is_said())
        return;
    log_say_path(LOG_WARN, path,
                 "is started without this library, since something has set LD_PRELOAD anew: no "
                 "close in there waits; start settle last, as in: fiu-run settle COMMAND");
}
