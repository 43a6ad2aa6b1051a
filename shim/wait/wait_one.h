/* The wait for one file, of which those for a file and for a store are made. Within this room. */
#ifndef SETTLE_WAIT_ONE_H
#define SETTLE_WAIT_ONE_H

#include "wait/wait.h"

/* Empties a result: nothing has been waited for. */
void wait_begin_result(struct wait_result *result);

/* Waits for a file of the store; adds to the counts in *result and sets its outcome. ending: of its
 * name after the request's path; NULL for a file whose outcome does not count, so that its holder
 * is not worth a name. */
void wait_for(const struct wait_request *request, const char *path, struct identity identity,
              const char *ending, struct wait_result *result);

#endif
