/* Who only has a database open: an idle WAL connection holds SHARED for as long as it lives, and a
 * reader for as long as it reads. Such a one may stay for hours; a writer is soon done.
 */
#ifndef SETTLE_IDLE_H
#define SETTLE_IDLE_H

#include "wait/probe.h"

/* Whether that lock is SHARED on a database, or what an engine has on the first byte for as long as
 * it is there (profile.held_idle), of a process that can be told apart from others: one with a pid,
 * on this host. profile: of the store; NULL: a database. */
bool idle_lock(const struct holder *h, const struct profile *profile);

/* Whether nobody writes a database, to be asked after a probe that found it held: no lock for
 * writing on it, nor on its -shm, where WAL has them. The kernel names one of several locks, so one
 * who writes may stand behind one who does not. With held_idle no lock tells who writes. Runs where
 * a probe does. */
bool idle_database(const struct probe *p, const struct profile *profile);

#endif
