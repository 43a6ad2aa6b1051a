/* What the record (record.h) says of handles and waits. Each function does nothing where no record
 * is wanted. */
#ifndef SETTLE_HISTORY_H
#define SETTLE_HISTORY_H

#include "track/handle.h"
#include "wait/wait.h"

/* A descriptor has become a handle; has stopped being one. file: what it was; NULL where it was
 * found out afterwards that it had been closed. */
void history_opened(int fd, const struct handle *h);
void history_closed(int fd, const struct handle *h, const char *file);

void history_wait_begun(const struct store *store, const struct wait_request *request);

/* error: why the helper did not do the wait to its end, and then there is no result (NULL); 0: it
 * did. elapsed: ns. */
void history_wait_ended(const struct store *store, const struct wait_request *request,
                        const struct wait_result *result, int error, uint64_t elapsed);

/* A close for which nothing could be asked, or that did not wait since the budget is spent. */
void history_not_examined(const struct store *store, const char *path, uint64_t began);
void history_budget_spent(const struct store *store, const char *path);

/* The program ends. */
void history_exit(void);

#endif
