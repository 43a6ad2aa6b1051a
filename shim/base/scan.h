/* The lines of a file, such as the kernel's in /proc, and their fields: read without allocation or
 * libc's streams. What is opened is a descriptor of the calling thread's table until it is closed.
 */
#ifndef SETTLE_SCAN_H
#define SETTLE_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct scan {
    int fd;
    bool cut; /* what comes next is the rest of a line that was too long */
    size_t at, length;
    char buffer[4096]; /* as much as /proc gives in one read */
};

/* Opens a file; 0 or -errno. */
int scan_open(struct scan *s, const char *path);

/* The next line without its end, for the caller to cut up; NULL behind the last. Of a line that is
 * longer than the buffer only the beginning comes. */
char *scan_line(struct scan *s);

void scan_close(struct scan *s);

/* The next field of a line, separated by blanks and tabs; NULL at its end. Cuts the line up. */
char *scan_field(char **line);

#endif
