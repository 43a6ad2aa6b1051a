/* Which file is meant: by device and inode, so that links, bind mounts and relative names come out
 * as one. */
#ifndef SETTLE_IDENTITY_H
#define SETTLE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct identity {
    uint64_t dev;
    uint64_t ino; /* 0: any file */
};

static inline struct identity identity_of(const struct stat *st)
{
    return (struct identity){st->st_dev, st->st_ino};
}

static inline bool identity_same(struct identity a, struct identity b)
{
    return a.ino == b.ino && a.dev == b.dev;
}

/* A number of 64 bits that tells files apart; the upper bits are the good ones. */
static inline uint64_t identity_mix(struct identity id)
{
    return (id.ino + 0x9e3779b97f4a7c15u * (id.dev + 1)) * 0xff51afd7ed558ccdu;
}

#endif
