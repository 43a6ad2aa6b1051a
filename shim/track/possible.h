/* The quick questions of every close and open. */
#ifndef SETTLE_POSSIBLE_H
#define SETTLE_POSSIBLE_H

#include "track/books.h"

/* Could the descriptor be tracked? One load where it is beyond all that ever were, three at most.
 * Relaxed: a program that closes a descriptor on one thread has it from the open on another by an
 * order of its own, and with it what that open entered. */
static inline bool handle_possible(int fd)
{
    if ((unsigned)fd >= atomic_load_explicit(&BOOKS.handles.end, memory_order_relaxed))
        return false;
    struct handle_chunk *_Atomic *chunks = BOOKS.handles.chunks;
    __asm__("" : "+r"(chunks)); /* or its offset is added to the index, with an instruction more */
    struct handle_chunk *chunk =
        atomic_load_explicit(&chunks[(unsigned)fd / HANDLE_CHUNK], memory_order_relaxed);
    return chunk != NULL && atomic_load_explicit(&chunk->entries[(unsigned)fd % HANDLE_CHUNK].word,
                                                 memory_order_relaxed) != 0;
}

/* Is any close put off? Of every open; relaxed for the same reason. */
static inline bool keep_possible(void)
{
    return atomic_load_explicit(&BOOKS.places.count, memory_order_relaxed) > 0;
}

/* May that be the inode of a store that the process has had? Of an open of what is called
 * otherwise, which may be a link to it. */
static inline bool seen_possible(uint64_t inode)
{
    const uint64_t word =
        atomic_load_explicit(&BOOKS.seen.inodes[inode % SEEN_INODES / 64], memory_order_relaxed);
    return (word >> inode % 64 & 1) != 0;
}

#endif
