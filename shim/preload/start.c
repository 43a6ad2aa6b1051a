/* The library's beginning and end. */
#include "base/glob.h"
#include "base/path.h"
#include "base/sys.h"
#include "config/rules.h"
#include "helper/log.h"
#include "helper/record.h"
#include "helper/seccomp.h"
#include "preload/api.h"
#include "preload/children.h"
#include "preload/real.h"
#include "preload/sqlite.h"
#include "track/books.h"
#include "track/track.h"

#include <settle.h>

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* What dlopen keeps of its flags (tail_calls.S). */
extern int settle_dlopen_mask;
int settle_dlopen_mask = ~0;

static struct settings settings;

static void complain(const char *message)
{
    log_say(LOG_WARN, message);
}

static void say_missing(const char *directory)
{
    static const char missing[] =
        "named by SETTLE_DIRS, does not exist; once it does its files are tracked";
    static const char no_home[] =
        "named by SETTLE_DIRS, does not exist; its ~ stands for no home directory, since the shell "
        "leaves that alone in quotes and behind a colon: expected a path such as $HOME/data";
    const char *tilde = strchr(directory, '~');
    bool is_home = tilde != NULL && tilde > directory && tilde[-1] == '/';
    log_say_path(LOG_WARN, directory, is_home ? no_home : missing);
}

/* Files are known by absolute names without symbolic links, so the directories of SETTLE_DIRS must
 * be, too. */
static __attribute__((noinline)) void resolve_dirs(char *dirs, size_t size)
{
    char out[DIRS_SIZE];
    struct text t = text_in(out, sizeof out);
    for (const char *at = dirs; *at != '\0';) {
        char directory[PATH_MAX];
        struct text d = text_in(directory, sizeof directory);
        size_t length = strcspn(at, ":");
        text_bytes(&d, at, length);
        at += length + (at[length] == ':');
        if (length == 0)
            continue; /* it is not the current directory */
        if (!glob_resolve(directory, sizeof directory))
            say_missing(directory);
        text_str(&t, t.length > 0 ? ":" : "");
        text_str(&t, directory);
    }
    if (t.length + 1 < t.size)
        str_copy(dirs, size, out);
    else
        log_say(LOG_WARN, "SETTLE_DIRS is too long with its links resolved, so they are not");
}

/* What the settings say is not looked at where nobody has set it (settings_set_defaults). */
static const char *file_of(char *const *environment, const char *variable, char *path)
{
    if (settings_variable(environment, variable) == NULL)
        return "";
    if (path[0] != '\0')
        path_make_absolute(path, PATH_MAX); /* the program may change its directory */
    return path;
}

/* The log first, since the reading of the settings has things to say. */
static void begin_log(char *const *environment)
{
    const char *first[] = {"SETTLE_LOG", "SETTLE_LOG_FILE"};
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        const char *value = settings_variable(environment, first[i]);
        if (value != NULL)
            settings_take(&settings, first[i], value, complain);
    }
    log_start((enum log_level)settings.log,
              file_of(environment, "SETTLE_LOG_FILE", settings.log_file));
    log_say(LOG_DEBUG, "libsettle " SETTLE_VERSION);
}

static void begin_hooks(char *const *environment)
{
    record_start(file_of(environment, "SETTLE_RECORD", settings.record),
                 file_of(environment, "SETTLE_USED", settings.used));
    if (settings.deepbind == DEEPBIND_STRIP)
        settle_dlopen_mask = ~RTLD_DEEPBIND;
    if (real.gnu_get_libc_version != NULL)
        seccomp_start(real.gnu_get_libc_version());
    process_start(real.pthread_self, real.pthread_getcpuclockid);
    if (!books_start()) {
        log_say(LOG_WARN,
                "off: this kernel cannot keep a table from fork children (Linux 4.14 can)");
        return;
    }
    if (settings.dirs[0] != '\0')
        resolve_dirs(settings.dirs, sizeof settings.dirs);
    track_start(&settings);
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
        begin_log(environment);
    if (is_trusted)
        settings_read(&settings, environment, complain);
    rules_read(is_trusted ? settings_variable(environment, "SETTLE_RULES") : NULL, &settings,
               complain);
    if (is_on)
        begin_hooks(environment);
    if (is_on && settings.children == CHILDREN_OFF)
        children_release(environ);
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
