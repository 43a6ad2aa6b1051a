/* The entries of a directory, read without allocation or libc's streams. What is opened is a
 * descriptor of the calling thread's table until it is closed. */
#ifndef SETTLE_LISTING_H
#define SETTLE_LISTING_H

#include <stdbool.h>
#include <stdint.h>

struct listing {
    int fd;
    long at, length;
    _Alignas(uint64_t) char buffer[2048];
};

struct entry { /* getdents64(2) */
    uint64_t ino;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

/* Whether a directory is known to have no other in it: where its links are counted as its
 * subdirectories', two are its own name and its period; file systems that do not count them say 1.
 */
bool listing_has_no_directories(const char *path);

/* Opens a directory; 0 or -errno. The second: one in another directory, which is open (AT_FDCWD: in
 * the working directory). */
int listing_open(struct listing *l, const char *path);
int listing_open_at(struct listing *l, int directory, const char *path);

/* Begins with one that is open already. */
void listing_begin(struct listing *l, int fd);

/* The next entry, . and .. included; NULL behind the last, and where the kernel gives no more for
 * an error: then length is negative. Valid until the next call. */
const struct entry *listing_next(struct listing *l);

void listing_close(struct listing *l);

#endif
