#include "track/begin.h"

#include "base/glob.h"
#include "base/path.h"
#include "base/sys.h"
#include "helper/log.h"
#include "helper/record.h"
#include "track/track.h"

#include <settle.h>

#include <limits.h>
#include <string.h>

void begin_complain(const char *message)
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

static void expect_directory(const char *path)
{
    struct stat st;
    if (sys_stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        log_say_path(LOG_WARN, path,
                     "named by SETTLE_DIRS, is a file: expected a directory, such as the one that "
                     "it is in");
}

/* Not on the stack: a library that is loaded late begins on that of whichever thread loads it. */
struct resolving {
    char out[DIRS_SIZE];
    char directory[PATH_MAX];
};

static void resolve_each(struct resolving *r, char *dirs, size_t size)
{
    struct text t = text_in(r->out, sizeof r->out);
    for (const char *at = dirs; *at != '\0';) {
        struct text d = text_in(r->directory, sizeof r->directory);
        size_t length = strcspn(at, ":");
        text_bytes(&d, at, length);
        at += length + (at[length] == ':');
        if (length == 0)
            continue; /* it is not the current directory */
        if (!glob_resolve(r->directory, sizeof r->directory))
            say_missing(r->directory);
        expect_directory(r->directory);
        text_str(&t, t.length > 0 ? ":" : "");
        text_str(&t, r->directory);
    }
    if (t.length + 1 < t.size)
        str_copy(dirs, size, r->out);
    else
        log_say(LOG_WARN, "SETTLE_DIRS is too long with its links resolved, so they are not");
}

/* Files are known by absolute names without symbolic links, so the directories of SETTLE_DIRS must
 * be, too. */
static void resolve_dirs(char *dirs, size_t size)
{
    struct resolving *r = sys_mmap(sizeof *r);
    if (r == NULL) {
        log_say(LOG_WARN, "no memory to resolve the links of SETTLE_DIRS, so they are not");
        return;
    }
    resolve_each(r, dirs, size);
    sys_munmap(r, sizeof *r);
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

SYS_AT_START void begin_log(struct settings *s, char *const *environment)
{
    const char *first[] = {"SETTLE_LOG", "SETTLE_LOG_FILE"};
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        const char *value = settings_variable(environment, first[i]);
        if (value != NULL)
            settings_take(s, first[i], value, begin_complain);
    }
    log_start((enum log_level)s->log, file_of(environment, "SETTLE_LOG_FILE", s->log_file));
    log_say(LOG_DEBUG, "libsettle " SETTLE_VERSION);
}

void begin_disabled(struct settings *s, char *const *environment)
{
    if (!settings_disabled_oddly(environment, NULL))
        return;
    log_start((enum log_level)s->log, file_of(environment, "SETTLE_LOG_FILE", s->log_file));
    settings_disabled_oddly(environment, begin_complain);
}

SYS_AT_START void begin_record(struct settings *s, char *const *environment)
{
    record_start(file_of(environment, "SETTLE_RECORD", s->record),
                 file_of(environment, "SETTLE_USED", s->used));
}

SYS_AT_START void begin_books(struct settings *s)
{
    if (s->dirs[0] != '\0')
        resolve_dirs(s->dirs, sizeof s->dirs);
    track_start(s);
}
