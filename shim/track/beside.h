/* What lies beside a primary: its journal, and the index files of its collections. Asked where the
 * close is, in the program's own table of descriptors, since a helper takes longer than all these
 * questions together.
 *
 * A close drops the POSIX locks that this process has on the file. So nothing that was opened here
 * is closed before the kernel has said that nobody has any (F_OFD_GETLK, which tells of one's own,
 * too), while no other thread locks (crossing_hold_all_locks). Where somebody has one, a lock of
 * this process may stand behind it: then only what this process has open by no other number is
 * closed, and the rest stays open (keep_open).
 *
 * Other threads find up to three numbers in use for some microseconds, as they do while libc reads
 * a file of its own; never those of the standard streams, nor the last ones of the limit. */
#ifndef SETTLE_BESIDE_H
#define SETTLE_BESIDE_H

#include "config/settings.h"
#include "track/store.h"

struct beside_books {
    /* A thread asks: one at a time, so that few numbers are missed. Taken by exchange and given
     * back by the same thread, with signals held between the two. */
    _Atomic bool asking;
};

/* settings must outlive the program. Before anything is tracked. */
void beside_start(const struct settings *settings);

/* Whether nothing lies beside a primary at that path that would have to be asked for. Opens
 * nothing. */
bool beside_is_nothing(const struct profile *profile, const char *path);

/* Whether nobody has a lock on anything that a wait would ask for there. False, too, where that
 * cannot be asked here: what SQLite itself locks (-shm), very many files, a store of which this
 * process has a file open. After the close of the store's last handle, in the process `home`. */
bool beside_is_free(const struct store *store, const char *path, int home);

#endif
