#include "commands/copy_check.h"

#include "base/path.h"
#include "commands/sqlite_api.h"

#include <limits.h>
#include <stddef.h>
#include <unistd.h>

/* SQLite asks after so many of its steps, which are some microseconds. */
enum { STEPS = 1000 };

static int ask_cancelled(void *cancelled)
{
    return atomic_load((_Atomic bool *)cancelled);
}

/* The first row says what is wrong, or "ok". */
static int take_row(void *context, int columns, char **values, char **names)
{
    struct text *said = context;
    (void)names;
    if (columns > 0 && values[0] != NULL && said->length == 0)
        text_str(said, values[0]);
    return 0;
}

static bool check(const struct sqlite_api *lib, sqlite3 *db, struct text *why)
{
    char buffer[256];
    struct text said = text_in(buffer, sizeof buffer);
    /* What is left to be written is written by whoever asks for the check. */
    int result = lib->exec(db, "pragma synchronous = off; pragma wal_checkpoint(truncate)", NULL,
                           NULL, NULL);
    if (result == SQLITE_OK)
        result = lib->exec(db, "pragma quick_check(1)", take_row, &said, NULL);
    if (result != SQLITE_OK) {
        text_str(why, "the copy cannot be read: ");
        text_str(why, lib->errmsg(db));
    } else if (!str_equal(buffer, "ok")) {
        text_str(why, "the database is corrupt: ");
        text_str(why, buffer);
    } else {
        return true;
    }
    return false;
}

bool copy_check(const char *database, _Atomic bool *cancelled, struct text *why)
{
    char path[PATH_MAX];
    sqlite3 *db = NULL;
    const struct sqlite_api *lib = sqlite_load("--copy", why);
    if (lib == NULL)
        return false;
    bool good = lib->open_v2(database, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK;
    if (!good)
        text_str(why, db == NULL ? "no memory" : lib->errmsg(db));
    if (good) {
        lib->progress_handler(db, STEPS, ask_cancelled, cancelled);
        good = check(lib, db, why);
    }
    lib->close(db);
    for (int i = 0; good && i < 2; i++)
        if (path_beside(path, sizeof path, database, i == 0 ? "-wal" : "-shm"))
            unlink(path);
    return good;
}
