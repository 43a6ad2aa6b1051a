/* How many handles of each kind a store has, and all of them together: for the table of descriptors
 * (handle.c), which tells what comes and goes. What is asked of it stands in handle.h. */
#ifndef SETTLE_HANDLE_COUNT_H
#define SETTLE_HANDLE_COUNT_H

#include "track/handle.h"

/* One more; before its entry can be taken out by another thread. */
void handle_count_in(struct store *store, enum role role, enum kind kind);

/* One less. True if that was the last handle, as handle_take means it. */
bool handle_count_out(struct store *store, enum role role, enum kind kind);

#endif
