/* What is remembered of the real sqlite3_* functions, under many threads, while objects come and
 * go: with several copies of SQLite in the process, each caller gets the one of its own object. */
#include "preload/sqlite.h"

#include "preload/real.h"
#include "race.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { COPIES = 4 };

static char dir[] = "/tmp/settle-race-XXXXXX";
static void *functions[COPIES][SQLITE_SYMBOL_COUNT];

static void load_copies(void)
{
    static const char *const names[] = {
#define NAME(name) #name,
        SETTLE_SQLITE_SYMBOLS(NAME) SETTLE_SQLITE_ASKED(NAME)
#undef NAME
    };
    Dl_info library;
    void *original = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
    CHECK(original != NULL && dladdr(dlsym(original, names[0]), &library) != 0);
    for (int copy = 0; copy < COPIES; copy++) {
        char command[2 * PATH_MAX];
        char path[64];
        snprintf(path, sizeof path, "%s/%d.so", dir, copy);
        snprintf(command, sizeof command, "cp -L '%s' '%s'", library.dli_fname, path);
        CHECK(system(command) == 0);
        void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        CHECK(handle != NULL);
        for (int symbol = 0; symbol < SQLITE_SYMBOL_COUNT; symbol++) {
            functions[copy][symbol] = dlsym(handle, names[symbol]);
            CHECK(functions[copy][symbol] != NULL);
        }
    }
}

static void *ask(void *number)
{
    uint64_t state = *(unsigned *)number;
    while (going_on()) {
        unsigned copy = dice(&state, COPIES);
        unsigned symbol = dice(&state, SQLITE_SYMBOL_COUNT);
        const char *caller = (const char *)functions[copy][dice(&state, SQLITE_SYMBOL_COUNT)] + 1;
        CHECK(sqlite_real((enum sqlite_symbol)symbol, caller) == functions[copy][symbol]);
        CHECK(sqlite_beside((enum sqlite_symbol)symbol, caller) == functions[copy][symbol]);
        if (dice(&state, 20) == 0)
            sqlite_forget_unloaded();
    }
    return NULL;
}

int main(void)
{
    CHECK(mkdtemp(dir) != NULL);
    load_copies();
    real_resolve();
    race(ask);

    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) == 0 ? 0 : 1;
}
