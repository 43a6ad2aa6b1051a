/* Folding a database's -wal, or what a crash has left in its -journal, into the main file: by
 * libsqlite3, which is loaded only where there is something to fold. */
#ifndef SETTLE_CHECKPOINT_H
#define SETTLE_CHECKPOINT_H

#include "base/text.h"

enum folded {
    FOLDED,         /* the main file alone is the whole database */
    FOLDED_NOTHING, /* it was before */
    FOLDED_BUSY,    /* somebody has opened it meanwhile */
    FOLDED_FAILED,  /* why says why */
};

enum folded checkpoint_fold(const char *database, struct text *why);

#endif
