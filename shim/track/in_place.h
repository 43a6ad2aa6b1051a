/* The question of a last close, asked where the close is: in the program's own table of
 * descriptors, on the closing thread, before the real close. A helper takes 30 us and more, nearly
 * all of it for the thread and its table.
 *
 * It is asked only where it can do no harm (in_place.c), and only "free" is an answer: whoever gets
 * another one asks by a helper, as ever. */
#ifndef SETTLE_IN_PLACE_H
#define SETTLE_IN_PLACE_H

#include "track/handle.h"
#include "wait/last_look.h"

/* A handle was entered: of the first one, children that have ended by now cannot have it. */
void in_place_opened(int fd);

/* Whether nobody has any lock on the primary that fd is open on, which the caller closes next.
 * path: where it is now; l: what it has just told. At home, with signals held. */
bool in_place_is_free(int fd, const struct handle *h, const char *path, const struct last_look *l);

/* The engine closes a sidecar next, which has a name. Whether nobody has a lock on one that it
 * leaves there is kept for the close of the primary that follows. At home, with signals held. */
void in_place_leaves(int fd, const struct handle *h);

/* Whether a sidecar that is there is one of which in_place_leaves has found that just now. */
bool in_place_is_left(const struct store *store, const struct stat *st);

/* Whether that is all: nobody has anything else of the store, its dot-file or what lies beside it
 * (beside.h), and neither the log nor the record wants a line of the close. path: that of the
 * primary. Else a helper does the rest, and l tells whether that has nothing to ask of the primary
 * itself any more. After the close; home: as beside_is_free. */
bool in_place_is_all(const struct store *store, const char *path, struct last_look *l, int home);

/* All of that for a file which another process is about to close (supervise/): by a descriptor of
 * ours that was opened for it alone. No lock of the program is this process's own, so none is left
 * out: before the close that of the closing descriptor itself is in the way, a flock until its
 * thread is on its way out of the call. file, path: the primary; profile: its store's. False too
 * where there is more to be asked or told. */
bool in_place_is_free_elsewhere(int fd, struct identity file, const struct profile *profile,
                                const char *path);

/* What later waits and the summary are to know of a close that has found its store settled so. */
void in_place_settled(struct store *store);

#endif
