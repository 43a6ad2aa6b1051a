#include "commands/sqlite_api.h"

#include <dlfcn.h>
#include <stddef.h>

/* A member of the table, and the name that libsqlite3 exports it by. */
struct function {
    size_t at;
    const char *name;
    void *linked; /* in a static program */
};

#ifdef SETTLE_STATIC
/* glibc's dlopen in a static program wants the very glibc that it was built with. So what was
 * linked in is what there is. */
#define LINKED(name) extern char sqlite3_##name[] __attribute__((weak))
LINKED(open_v2);
LINKED(close);
LINKED(exec);
LINKED(wal_checkpoint_v2);
LINKED(extended_result_codes);
LINKED(db_readonly);
LINKED(db_config);
LINKED(file_control);
LINKED(progress_handler);
LINKED(errmsg);
#define FUNCTION(name)                                                                             \
    {                                                                                              \
        offsetof(struct sqlite_api, name), "sqlite3_" #name, sqlite3_##name                        \
    }
#else
#define FUNCTION(name)                                                                             \
    {                                                                                              \
        offsetof(struct sqlite_api, name), "sqlite3_" #name, NULL                                  \
    }
#endif

#ifdef SETTLE_STATIC
/* In the place of dlopen, by which SQLite would load extensions: nobody does here, and for glibc's
 * the linker warns. */
void *__wrap_dlopen(const char *file, int mode);
void *__wrap_dlopen(const char *file, int mode)
{
    (void)file;
    (void)mode;
    return NULL;
}
#endif

static const struct function functions[] = {
    FUNCTION(open_v2),
    FUNCTION(close),
    FUNCTION(exec),
    FUNCTION(wal_checkpoint_v2),
    FUNCTION(extended_result_codes),
    FUNCTION(db_readonly),
    FUNCTION(db_config),
    FUNCTION(file_control),
    FUNCTION(progress_handler),
    FUNCTION(errmsg),
};

static struct sqlite_api api;

static void say_missing(struct text *why, const char *option, const char *what)
{
    text_str(why, option);
    text_str(why, " needs libsqlite3");
    text_str(why, what);
}

#ifdef SETTLE_STATIC
static bool find_all(const char *option, struct text *why)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (functions[i].linked == NULL) {
            say_missing(why, option, ", which this static settle-wait was built without");
            return false;
        }
        *(void **)((char *)&api + functions[i].at) = functions[i].linked;
    }
    return true;
}
#else
static bool find_all(const char *option, struct text *why)
{
    void *library = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
    bool found = library != NULL;
    for (size_t i = 0; found && i < sizeof functions / sizeof functions[0]; i++) {
        void *function = dlsym(library, functions[i].name);
        *(void **)((char *)&api + functions[i].at) = function;
        found = function != NULL;
    }
    if (!found) {
        say_missing(why, option, ": ");
        text_str(why, dlerror());
    }
    return found;
}
#endif

const struct sqlite_api *sqlite_load(const char *option, struct text *why)
{
    static bool loaded;
    if (!loaded)
        loaded = find_all(option, why);
    return loaded ? &api : NULL;
}

bool sqlite_is_busy(int result)
{
    int primary = result & 0xff;
    return primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_PROTOCOL;
}
