/* Reading directories and the kernel's files of lines without allocation, stdio or libc state. What
 * is opened is a descriptor of the calling thread's table until it is closed. */
#ifndef SETTLE_LINES_H
#define SETTLE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- the entries of a directory --- */

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

/* --- the lines of a file --- */

struct lines {
    int fd;
    bool cut; /* what comes next is the rest of a line that was too long */
    size_t at, length;
    char buffer[4096]; /* as much as /proc gives in one read */
};

/* Opens a file; 0 or -errno. */
int lines_open(struct lines *l, const char *path);

/* The next line without its end, for the caller to cut up; NULL behind the last. Of a line that is
 * longer than the buffer only the beginning comes. */
char *lines_next(struct lines *l);

void lines_close(struct lines *l);

/* The next field of a line, separated by blanks and tabs; NULL at its end. Cuts the line up. */
char *next_field(char **line);

#endif
