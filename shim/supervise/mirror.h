/* The books of one process of the program (track/), kept from outside: what it has open of stores
 * is read from /proc at each close, so that the library's own rules tell which close is the last.
 *
 * What the process inherited is not in them, as in the library: a fork child's copies are no
 * handles of its own. */
#ifndef SETTLE_MIRROR_H
#define SETTLE_MIRROR_H

#include "track/handle.h"
#include "wait/last_look.h"

#include <stdbool.h>

/* The process whose books these are. Once. */
void mirror_start(int process);

int mirror_process(void);

/* Whether it has threads besides the one that asks. */
bool mirror_other_threads(void);

/* A descriptor that is being closed, of a handle that was in the books. */
struct departure {
    int fd;
    unsigned call; /* its number: one call may close many */
    struct handle handle;
    char path[PATH_MAX]; /* "": the primary is where it was */
    bool waits;
    bool has_lock;  /* a flock, OFD lock or lease that goes with the open file alone */
    bool goes_late; /* what is waited for is in the way until the open file itself is gone */
    int file;       /* of one that waits: open anew, for the last look; -1: could not be */
    bool free;      /* mirror_is_free */
};

enum { DEPARTURES = 16 };

/* Brings the books up to date, and takes out what a thread closes: descriptors first to last.
 * Returns how many departures there are: beyond DEPARTURES those that do not wait are recorded as
 * closed here and make room, and if all wait, the rest does not, which is said once. directory:
 * peek_directory of the thread. */
int mirror_take(int thread, int directory, int first, int last, struct departure *departures);

/* They are closed now, or are not going to be: until then they count as closed. */
void mirror_gone(const struct departure *departures, int count);

/* Brings the books up to date alone. */
void mirror_update(int thread, int directory);

/* Whether nobody has a lock on the file of one that waits: there is nothing to wait for. Before the
 * close it has locks of its own, maybe. */
bool mirror_is_free(const struct departure *departure);

/* Whether a departed descriptor is still that of the file. */
bool mirror_still_open(int directory, const struct departure *departure);

#endif
