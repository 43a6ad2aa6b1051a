/* The library's beginning and end. */
#include "base/scratch.h"
#include "base/sys.h"
#include "config/rules.h"
#include "helper/seccomp.h"
#include "preload/api.h"
#include "preload/cancel.h"
#include "preload/children.h"
#include "preload/real.h"
#include "preload/replaced.h"
#include "preload/sqlite.h"
#include "track/begin.h"
#include "track/process.h"
#include "track/track.h"

#include <settle.h>

#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

/* What dlopen keeps of its flags (tail_calls.S). */
extern int settle_dlopen_mask;
int settle_dlopen_mask = ~0;

static struct settings settings;

static void begin_hooks(char *const *environment)
{
    begin_record(&settings, environment);
    if (settings.deepbind == DEEPBIND_STRIP)
        settle_dlopen_mask = ~RTLD_DEEPBIND;
    if (real.gnu_get_libc_version != NULL)
        seccomp_start(real.gnu_get_libc_version());
    process_start(real.pthread_self, real.pthread_getcpuclockid);
    cancel_start();
    begin_books(&settings);
}

/* What a program asks for by name (settle.h) it gets in any case; without the log, the reading of
 * the settings is silent. */
static __attribute__((constructor)) void begin(void)
{
    char *room[64];
    char *const *environment = settings_environment(environ, room, sizeof room / sizeof room[0]);
    real_resolve();
    settings_set_defaults(&settings);
    api_start(&settings);
    /* In a set-user-ID program nothing of the user's environment may have an effect. */
    bool is_trusted = getauxval(AT_SECURE) == 0;
    bool is_on = is_trusted && !settings_disabled(environment);
    if (is_on)
        begin_log(&settings, environment);
    if (is_trusted)
        settings_read(&settings, environment, begin_complain);
    rules_read(is_trusted ? settings_variable(environment, "SETTLE_RULES") : NULL, &settings,
               begin_complain);
    if (is_on) {
        begin_hooks(environment);
        replaced_start(environ);
    } else if (is_trusted) {
        begin_disabled(&settings, environment);
    }
    if (is_on && settings.children == CHILDREN_OFF)
        children_release(environ);
    scratch_drop();
}

/* It runs no destructors. */
__attribute__((visibility("default"))) void quick_exit(int status)
{
    track_exit();
    real.quick_exit(status);
    __builtin_unreachable();
}

/* Nor do these, which are for those who want to be gone at once; shells end so. */
__attribute__((visibility("default"))) void _exit(int status)
{
    track_exit_at_once();
    real._exit(status);
    __builtin_unreachable();
}

__attribute__((visibility("default"))) void _Exit(int status)
{
    track_exit_at_once();
    real._Exit(status);
    __builtin_unreachable();
}

static __attribute__((destructor)) void end(void)
{
    track_exit();
}
