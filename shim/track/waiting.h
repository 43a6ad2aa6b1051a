/* Whether the calling thread waits already: a signal handler that interrupted a wait must not use
 * the same store and wait, too.
 *
 * A thread that leaves a wait by longjmp cannot say so. So a wait is known by its deadline, after
 * which it is not believed any more.
 */
#ifndef SETTLE_WAITING_H
#define SETTLE_WAITING_H

#include <stdbool.h>
#include <stdint.h>

/* Around a wait until `deadline` (clock_now); the second gets what the first returned. */
uint64_t waiting_begin(uint64_t deadline);
void waiting_end(uint64_t before);

bool waiting_now(void);

#endif
