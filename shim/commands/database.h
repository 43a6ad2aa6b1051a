/* What a database's files tell without SQLite.
 *
 * Opens and closes them, so it must run where that harms nobody (probe.h). */
#ifndef SETTLE_DATABASE_H
#define SETTLE_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

/* True of an SQLite database. An empty file is one, too; anything else SQLite would take for a
 * broken one, and remove a file beside it that has the name of its journal. */
bool database_is_one(const char *path);

/* What each transaction changes: in WAL mode the -wal's header or the number of its frames, and not
 * the main file, into which a checkpoint folds only what counted before; else the counter in the
 * main file's header. Two of them are the same by memcmp. */
struct database_state {
    unsigned char wal_header[32];
    uint32_t frames;
    unsigned char counter[4];
};
void database_state(const char *path, struct database_state *state);

#endif
