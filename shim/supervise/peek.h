/* What a descriptor of another process is, looked at through /proc: no open is watched. */
#ifndef SETTLE_PEEK_H
#define SETTLE_PEEK_H

#include "base/identity.h"
#include "config/profile.h"
#include "config/settings.h"

#include <sys/stat.h>

struct peek {
    char path[PATH_MAX];
    struct named named; /* role ROLE_NONE: nothing of a store */
    struct stat st;
    struct identity primary; /* of the file that decides */
};

/* Which stores there are. settings must stay. */
void peek_start(const struct settings *settings);

/* The descriptors of a thread, as a directory; -1 with errno. Its table may be another than that of
 * its process. */
int peek_directory(int thread);

/* Looks at a descriptor. 0, and what it is; or an error number: ENOENT: it is not open, or the
 * directory is that of a thread which has ended; EACCES: it may not be looked at. Closes nothing in
 * the process, and opens only a regular file, to read its first bytes. */
int peek_at(int directory, int fd, struct peek *look);

/* Opens the file anew, for a last look; -1: it cannot be. The caller closes it. */
int peek_open(int directory, int fd);

#endif
