/* What a descriptor of another process is, looked at through /proc: no open is watched. */
#ifndef SETTLE_PEEK_H
#define SETTLE_PEEK_H

#include "track/recognise.h"

struct peek {
    char path[PATH_MAX];
    enum role role; /* ROLE_NONE: nothing of a store; then the rest says nothing */
    struct stat st;
    struct recognised found;
};

/* Which stores there are. After begin_books; settings must stay. */
void peek_start(const struct settings *settings);

/* The process of a thread; the same number, where it is gone. */
int peek_process_of(int thread);

/* The descriptors of a thread, as a directory; -1 with errno. Its table may be another than that of
 * its process. */
int peek_directory(int thread);

/* Looks at a descriptor. 0, and what it is; or an error number: ENOENT: it is not open, or the
 * directory is that of a thread which has ended; EACCES: it may not be looked at. Closes nothing in
 * the process; what may be a store's, a regular file, is opened anew to be recognised. */
int peek_at(int directory, int fd, struct peek *peek);

/* Opens the file anew, for a last look; -1: it cannot be. The caller closes it. */
int peek_open(int directory, int fd);

#endif
