/* Whether a collection's HNSW index was copied whole, as chroma-hnswlib and Chroma's Rust core
 * write it: header.bin first, then data_level0.bin, length.bin and link_lists.bin in place, and
 * index_metadata.pickle anew at the end of it all. No lock says that this is under way. */
#ifndef SETTLE_COPY_INDEX_H
#define SETTLE_COPY_INDEX_H

#include "base/text.h"
#include "commands/copy_tree.h"

/* Looks at the files of the copy: do their sizes agree with the counts in the header, and is the
 * pickle whole? files: the originals as they were when they were copied, by whose times it is told
 * whether a writer is between the header and the pickle. now: CLOCK_REALTIME. False, with what does
 * not agree in why. True of what is no such index. */
bool index_is_whole(int copy, const char *collection, const struct tree *files, struct timespec now,
                    struct text *why);

#endif
