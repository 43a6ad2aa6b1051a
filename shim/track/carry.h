/* Closes that were put off (keep.h) where no moment without a lock comes: with a WAL the engine
 * keeps one for as long as it has the database open. So that they do not become more than there is
 * room for, they are done, and the lock is carried over: it is taken for an open file description,
 * too, whose locks no close of another descriptor drops; then the closes are done, which drop the
 * engine's; then that is taken again, and the other one given back. At no time could another
 * process have locked.
 *
 * Only while that lock is all that the engine has on the file. It is shared, so that one's own
 * other lock is not in its way; and it is given up for good by an unlock of the whole file or by a
 * close, each of which looks for what is put off.
 */
#ifndef SETTLE_CARRY_H
#define SETTLE_CARRY_H

/* Of all files, as far as it can be. At home, with signals held. */
void carry_locks_over(void);

#endif
