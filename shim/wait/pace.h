/* How long a wait sleeps between two looks, where no event ends it. In ns.
 *
 * Everything here works on numbers alone, safe in threads and in signal handlers; only pace_deaf
 * reads the clock, for its chance.
 */
#ifndef SETTLE_PACE_H
#define SETTLE_PACE_H

#include <stdint.h>

/* The next sleep in ns: a tenth of the time since the wait (or the last event) began, at most
 * check_interval, and never less than 0.2 ms. So the overshoot stays below a tenth of the waiting
 * time. */
uint64_t pace_backoff(uint64_t since_start, uint64_t check_interval);

/* How long to sleep where an event came not long ago: as long as since then, at most the back-off.
 * So he who is told of a holder that is nearly done (SQLite removes its journal, then unlocks) is
 * late by half of that time, not by the shortest back-off. since_event: ns, 0 if there was none
 * just now. */
uint64_t pace_settling(uint64_t since_event, uint64_t backoff);

/* How long to be deaf to events after one that finds the file still held. The holder is usually
 * microseconds from being done (watch.h), so 25 to 50 us at first; but where the last event was as
 * fruitless not long before, twice as long as then, up to the back-off. So a storm of events costs
 * no more than none would, and two who wait and are woken by each other's looks grow quiet. The
 * half that is left to chance keeps them from asking at the same moment again. last: the result for
 * the event before, 0 if there was none; since_last: ns since that one; backoff: pace_backoff of
 * the whole wait. */
uint64_t pace_deaf(uint64_t last, uint64_t since_last, uint64_t backoff);

#endif
