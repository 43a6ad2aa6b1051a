/* The quick questions of every close and open. */
#ifndef SETTLE_POSSIBLE_H
#define SETTLE_POSSIBLE_H

#include "track/books.h"
#include "track/keep.h"

/* Of a number that is below the end of what is known. */
static inline struct handle_entry *handle_entry_known(int fd)
{
    struct handle_chunk *_Atomic *chunks = BOOKS.handles.chunks;
    __asm__("" : "+r"(chunks)); /* or its offset is added to the index, with an instruction more */
    struct handle_chunk *chunk =
        atomic_load_explicit(&chunks[(unsigned)fd / HANDLE_CHUNK], memory_order_relaxed);
    return chunk == NULL ? NULL : &chunk->entries[(unsigned)fd % HANDLE_CHUNK];
}

/* The inode of its file. */
static inline uint64_t handle_inode(int fd)
{
    const struct handle_entry *entry = handle_entry_known(fd);
    return entry == NULL ? 0 : atomic_load_explicit(&entry->ino, memory_order_relaxed);
}

/* Could the descriptor be tracked? One load where it is beyond all that ever were, two of most.
 * Relaxed: a program that closes a descriptor on one thread has it from the open on another by an
 * order of its own, and with it what that open entered. */
static inline bool handle_possible_far(int fd)
{
    const struct handle_entry *entry = handle_entry_known(fd);
    return entry != NULL && atomic_load_explicit(&entry->word, memory_order_relaxed) != 0;
}

static inline bool handle_or_reader_far(int fd)
{
    const struct handle_entry *entry = handle_entry_known(fd);
    return entry != NULL && (atomic_load_explicit(&entry->word, memory_order_relaxed) |
                             atomic_load_explicit(&entry->reader, memory_order_relaxed)) != 0;
}

static inline uint8_t handle_near(int fd)
{
    return atomic_load_explicit(&BOOKS.handles.near[fd], memory_order_relaxed);
}

static inline bool handle_possible(int fd)
{
    if ((unsigned)fd >= atomic_load_explicit(&BOOKS.handles.end, memory_order_relaxed))
        return false;
    return __builtin_expect((unsigned)fd < HANDLE_NEAR, 1) ? (handle_near(fd) & NEAR_HANDLE) != 0
                                                           : handle_possible_far(fd);
}

/* The same of one that was just opened, beside a store: most numbers were tracked once. */
static inline bool handle_possible_again(int fd)
{
    return __builtin_expect((unsigned)fd < HANDLE_NEAR, 1) ? (handle_near(fd) & NEAR_HANDLE) != 0
                                                           : handle_possible(fd);
}

/* What a close asks: whether it is tracked, or was noted as a reader's. */
static inline bool handle_or_reader(int fd)
{
    if ((unsigned)fd >= atomic_load_explicit(&BOOKS.handles.known, memory_order_relaxed))
        return false;
    return __builtin_expect((unsigned)fd < HANDLE_NEAR, 1) ? handle_near(fd) != 0
                                                           : handle_or_reader_far(fd);
}

/* Is any close put off? Of every open; relaxed for the same reason. */
static inline bool keep_possible(void)
{
    return atomic_load_explicit(&BOOKS.places.count, memory_order_relaxed) > 0;
}

/* One was opened to be read (readers.h). Before it is asked which stores there are: readers_enter
 * has it the other way round, so that one of the two finds the other. */
static inline uint32_t readers_note_now(void)
{
    const uint32_t sharings = atomic_load_explicit(&keep_sharings, memory_order_relaxed);
    return READERS_NOTED | sharings << FACT_TIME;
}

static inline void readers_note_near(struct books *books, int fd, uint32_t note)
{
    atomic_store(&books->readers.near[fd], note);
    atomic_fetch_or(&books->handles.near[fd], NEAR_READER);
}

static inline void readers_note(int fd)
{
    if ((uint32_t)fd < READERS_NEAR)
        readers_note_near(&BOOKS, fd, readers_note_now());
    else
        readers_note_far(fd, readers_note_now());
}

/* May that be the inode of a store that the process has had? Of an open of what is called
 * otherwise, which may be a link to it. */
static inline bool seen_possible(uint64_t inode)
{
    return atomic_load(&BOOKS.seen.inodes[inode % SEEN_INODES]) != 0;
}

#endif
