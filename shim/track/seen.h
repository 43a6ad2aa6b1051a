/* Stores whose engine was seen in this process, by what a call may name: quick answers for the many
 * calls that are about something else. What is entered stays, until a fork empties it; a wrong yes
 * costs a look at the registry.
 */
#ifndef SETTLE_SEEN_H
#define SETTLE_SEEN_H

#include "track/store.h"

enum { SEEN_DIRECTORIES = 1024, SEEN_INODES = 1024 };

struct seen_books {
    /* By the last two bytes of the names of their primaries and of their directories; 0: there are
     * none. Bits are only added, by seen_add. */
    _Atomic uint64_t names;
    _Atomic uint64_t directories[SEEN_DIRECTORIES / 64]; /* by identity_mix */
    _Atomic uint8_t inodes[SEEN_INODES]; /* of primaries and of -shm: 1 at their number */
};

/* The engine of a store was seen for the first time. */
void seen_add(struct store *store);

/* It has a -shm open, too. */
void seen_add_shm(uint64_t inode);

/* Whether that is the directory of one. */
bool seen_in(struct identity directory);

static inline __attribute__((always_inline)) uint16_t seen_ending(const char *path)
{
    return path_last_two(path);
}

/* No call may name one, until they are shown again. */
void seen_hide(void);
void seen_show(void);

/* Whether a bit set of names has one that ends so. */
static inline bool seen_name(uint64_t names, uint16_t ending)
{
    return (names >> PROFILE_HASH(ending) & 1) != 0;
}

#endif
