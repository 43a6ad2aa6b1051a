/* Whether a database is whole without the files that SQLite keeps beside it:
 * https://www.sqlite.org/walformat.html, https://www.sqlite.org/fileformat2.html.
 *
 * Reads the files, so it must run where an open and close of them harms nobody (probe.h). */
#ifndef SETTLE_WAL_H
#define SETTLE_WAL_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes of a -wal that has no frames: its header. */
enum { WAL_EMPTY = 32 };

/* The number of frames in the -wal of a database that are not in the database itself yet; 0 if
 * there is no -wal; -1 if that cannot be read. Where no -shm tells, all of the -wal is read, until
 * deadline (ns of clock_now): then it is the number of those that were found. */
long wal_frames_missing(const char *database, uint64_t deadline);

/* True if somebody has the database open in WAL mode, and so will fold the frames in or go on. */
bool wal_is_connected(const char *database);

/* True if there is a -journal by which SQLite would roll the database back: one that a crash has
 * left, or that of a transaction in progress. */
bool wal_journal_is_hot(const char *database);

/* True if somebody has one of SQLite's locks of a writer on the database: the -journal is his. */
bool wal_journal_has_owner(const char *database);

#endif
