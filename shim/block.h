/* Blocking the program's thread until a store is settled: the wait runs in a helper (helper.h), and
 * its result goes to the log. */
#ifndef SETTLE_BLOCK_H
#define SETTLE_BLOCK_H

#include "settings.h"
#include "store.h"

/* The settings of every wait. Must outlive the program. */
void block_start(const struct settings *settings);

/* Says that a wait will follow, before the handle that causes it leaves the table: so the exit of
 * the program, which looks at both, never sees neither. */
void block_announce(void);

/* Takes an announcement back. */
void block_withdraw(void);

/* Blocks until the store is settled or max_wait is past. path: where its primary is; "" if unknown
 * (then a fixed delay). The caller holds a pin on the store and has announced the wait. Keeps
 * errno; signal handlers run. */
void block_until_settled(struct store *store, const char *path);

/* Sleeps ns, whatever signal handlers run. */
void block_for(uint64_t ns);

/* Waits of this process that are running or announced. */
unsigned block_waits_running(void);

#endif
