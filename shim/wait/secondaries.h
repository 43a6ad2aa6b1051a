/* The secondary files of a store: index files in directories beside its primary. Within this room.
 */
#ifndef SETTLE_SECONDARIES_H
#define SETTLE_SECONDARIES_H

#include "wait/wait.h"

/* Waits for them with what is left of the time, in as many directories and as many of each as the
 * request says; adds to the counts in *result, and tells one that is held. Never a failure. */
void secondaries_wait(const struct wait_request *request, struct wait_result *result);

#endif
