/* Copying one file, by the quickest way that its file system has; and what else is done to the
 * files of a copy. */
#ifndef SETTLE_COPY_FILE_H
#define SETTLE_COPY_FILE_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* From the quickest on: the file system shares the blocks (btrfs, XFS), it is copied within the
 * kernel, through memory. */
enum copied_by { BY_REFLINK, BY_COPY_FILE_RANGE, BY_WRITE };
extern const char *const copied_by_names[];

/* How it goes, in memory that the process which makes the copy shares with the one that waits for
 * it: the former writes, but for `cancelled`. */
struct copying {
    _Atomic uint64_t bytes;      /* copied so far */
    _Atomic uint64_t total;      /* that are to be copied */
    _Atomic int by;              /* enum copied_by: the slowest that was needed */
    _Atomic bool cancelled;      /* copy no more: -ECANCELED */
    _Atomic int turn;            /* enum copying_turn: which of the two has decided */
    _Atomic unsigned job;        /* of several, the one that it fails at */
    _Atomic bool broken;         /* nothing changes, and yet it is not whole */
    char reason[PATH_MAX + 256]; /* why it failed, or goes on */
};

/* A copy that is being given its name, or names, is no longer ended: half of it would have them. So
 * whoever comes first decides; false if that was the other one. */
enum copying_turn { TURN_OPEN, TURN_ENDS, TURN_NAMES };
bool copying_decides(struct copying *c, enum copying_turn turn);

/* Say why; false. */
bool copying_fails(struct copying *c, const char *reason);
bool copying_fails_by(struct copying *c, const char *path, int error);

/* Copies an open file, whose status is `st`, under a name that is new, and closes it: the content
 * and what attributes have names; mode, times and owner as well, unless they come later, and until
 * then its mode is 0600. Changes `st` as copy_named_attributes does. False, with the reason, if
 * that failed. Holes stay holes. */
bool copy_file(struct copying *c, int from, struct stat *st, int directory, const char *name,
               bool with_attributes);

/* Removes a file or a directory with all that is in it; no link is followed. 0 or -errno, also 0 if
 * there is no such thing. */
int copy_remove(int directory, const char *name);

/* Writes a file, or a directory with all that is in it, to the disk. 0 or -errno. */
int copy_sync(int directory, const char *name, const struct copying *c);

/* Gives a new name that must not be taken: -EEXIST if it is. */
int copy_rename(int from_directory, const char *from, int to_directory, const char *to);

#endif
