/* Copying a store's directory, whose files no lock holds still: what has changed is copied again,
 * until a look finds nothing that has, and the indexes whole. */
#ifndef SETTLE_COPY_DIRECTORY_H
#define SETTLE_COPY_DIRECTORY_H

#include "commands/copy_file.h"
#include "commands/copy_tree.h"

struct copy_directory {
    int from, to;
    const struct profile *profile;
    struct identity without; /* the directory in which the copy is made */
    struct tree done;        /* what has been copied, as it was then */
};

/* Copies all but the database, without regard to who writes. False, with the reason in c. */
bool copy_directory_begin(struct copy_directory *d, struct copying *c);

/* Goes on until the index files are at rest, or all where an engine is kept out; other files are
 * copied again where they have changed, and nothing more is asked of them. False, with the reason
 * in c, on an error, or when it is cancelled. */
bool copy_directory_rest(struct copy_directory *d, struct copying *c);

#endif
