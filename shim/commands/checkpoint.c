#include "commands/checkpoint.h"

#include "commands/database.h"
#include "commands/sqlite_api.h"
#include "wait/wal.h"

#include <stdbool.h>

static bool is_whole(const char *database)
{
    return wal_frames_missing(database, UINT64_MAX) == 0 && !wal_journal_is_hot(database);
}

/* The read makes SQLite recover what a crash has left; TRUNCATE then leaves an empty -wal, or says
 * SQLITE_BUSY if somebody else is in the way. */
static int fold(const struct sqlite_api *lib, sqlite3 *db)
{
    int result = lib->exec(db, "select count(*) from sqlite_master", NULL, NULL, NULL);
    if (result != SQLITE_OK)
        return result;
    return lib->wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

enum folded checkpoint_fold(const char *database, struct text *why)
{
    sqlite3 *db = NULL;
    if (is_whole(database))
        return FOLDED_NOTHING;
    if (!database_is_one(database)) {
        text_str(why, "is no SQLite database, though it has the files of one beside it");
        return FOLDED_FAILED;
    }
    const struct sqlite_api *lib = sqlite_load("--checkpoint", why);
    if (lib == NULL)
        return FOLDED_FAILED;
    int result = lib->open_v2(database, &db, SQLITE_OPEN_READWRITE, NULL);
    if (result == SQLITE_OK)
        result = fold(lib, db);
    if (result != SQLITE_OK)
        text_str(why, lib->errmsg(db));
    lib->close(db);
    if (sqlite_is_busy(result))
        return FOLDED_BUSY;
    if (result != SQLITE_OK)
        return FOLDED_FAILED;
    if (is_whole(database))
        return FOLDED;
    text_str(why, "the main file is not whole yet");
    return FOLDED_FAILED;
}
