/* What the record (record.h) says of handles and waits. Each function does nothing where no record
 * is wanted. */
#ifndef SETTLE_HISTORY_H
#define SETTLE_HISTORY_H

#include "config/summary.h"
#include "helper/lines.h"
#include "track/block.h"
#include "track/handle.h"
#include "wait/wait.h"

/* A descriptor has become a handle; has stopped being one. file: what it was; NULL where it was
 * found out afterwards that it had been closed. */
void history_opened(int fd, const struct handle *h);
void history_closed(int fd, const struct handle *h, const char *file);

/* A use of a store is told when it has ended, waits and all. */
void history_wait_begun(const struct store *store, const struct wait_request *request,
                        const struct block_cause *cause);

/* error: why the helper did not do the wait to its end, and then there is no result (NULL); 0: it
 * did. elapsed: ns. lines: as in record_begin_in. */
void history_wait_ended(struct lines *lines, const struct store *store,
                        const struct wait_request *request, const struct wait_result *result,
                        int error, uint64_t elapsed, const struct block_cause *cause);

/* A close or use for which nothing could be asked; a close that did not wait since the budget is
 * spent; a use that waited for no other process. outcome: as the record names it. */
void history_not_examined(const struct store *store, const char *path,
                          const struct block_cause *cause);
void history_budget_spent(const struct store *store, const char *path);
void history_used(const struct store *store, const struct block_cause *cause, const char *outcome);

/* The program ends. */
void history_exit(const struct summary *summary);

#endif
