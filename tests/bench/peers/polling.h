/* The polling that people write: ask, sleep for a fixed time, ask again. */
#ifndef BENCH_POLLING_H
#define BENCH_POLLING_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the file can be opened for reading and writing: what the polling was written to ask, for
 * a system where an open fails while somebody holds a lock. On Linux it never does. */
bool polling_can_open(const char *path);

/* Whether a lock on the whole file would be granted: what it has to ask on Linux. */
bool polling_can_lock(const char *path);

/* Asks until the answer is yes or max_wait (ns) has passed; the last answer. */
bool polling(bool (*ask)(const char *path), const char *path, uint64_t max_wait, uint64_t interval);

#endif
