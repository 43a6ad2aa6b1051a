/* Waits that are put off until a hook's real function has returned (track_defer, track_resume):
 * which stores the calling thread has closed meanwhile. */
#ifndef SETTLE_DEFERRAL_H
#define SETTLE_DEFERRAL_H

#include <stdbool.h>

struct closing;

/* Whether the calling thread is inside a hooked function of SQLite. */
bool deferral_inside(void);

/* Whether the wait of this close, if it has one, is put off; track_resume ends it then. May take
 * its path over. */
bool deferral_takes(struct closing *closing);

#endif
