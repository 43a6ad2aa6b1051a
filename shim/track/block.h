/* Blocking the program's thread until a store is settled: the wait runs in a helper (helper.h). */
#ifndef SETTLE_BLOCK_H
#define SETTLE_BLOCK_H

#include "config/settings.h"
#include "track/store.h"
#include "wait/last_look.h"

/* ns: what a helper that is stuck in the kernel (a dead network file system) may overrun its
 * deadline by. */
enum { BLOCK_PATIENCE = 1000000000 };

struct block_books {
    /* Waits that are announced or running. Up before the helper is started; down in the helper, or
     * by whoever could not start it. */
    _Atomic uint32_t running;
};

/* The settings of every wait. Must outlive the program. */
void block_start(const struct settings *settings);

/* Whether a close may still wait. Once SETTLE_TOTAL_WAIT is spent it may not, which the log and the
 * record say of `path`, the store's primary or "" where that is unknown; it is used for nothing
 * else. */
bool block_may_wait(const struct store *store, const char *path);

/* What a wait is for. */
struct block_cause {
    uint64_t began;  /* clock_now: what max_wait counts from */
    uint64_t now;    /* the last reading of it; 0: it was some time ago */
    const char *use; /* what the program does with the store's files; NULL: it closed the store */
    bool writers; /* connections of this process are open, so that only who writes is waited for */
    struct last_look last_look; /* of a close: what its descriptor told before */
};

/* Blocks until the store is settled, or until its rule's max_wait is past, or the budget. path:
 * where its primary is; "" if unknown (then a fixed delay). home: the process that has closed or
 * uses it. The caller holds a pin on the store, whose state says afterwards what came of it. Keeps
 * errno; signal handlers run; in a fork child that one of them made it returns at once. */
void block_until_settled(struct store *store, const char *path, const struct block_cause *cause,
                         int home);

/* Asks once whether it is settled, and says nothing of it. */
bool block_is_settled(struct store *store, int home);

/* How long a close waits where waiting longer would be in vain, or nothing can be asked, in ns:
 * SETTLE_FALLBACK_DELAY, but no longer than the rule's max_wait. */
uint64_t block_fixed_delay(const struct rule *rule);

/* Sleeps ns, whatever signal handlers run, unless in a fork child that one of them made. */
void block_for(uint64_t ns);

/* Waits of this process that are running. */
unsigned block_waits_running(void);

#endif
