/* The words for holders: the sentences of the log and of the commands, and the members of records.
 */
#ifndef SETTLE_WORDS_H
#define SETTLE_WORDS_H

#include "base/json.h"
#include "base/text.h"
#include "holders/holders.h"

/* Where a process is that a container's walls hide: what a person calls it, and what the kernel
 * does. */
#define HOLDER_OUTSIDE   "in another container or on the host (another pid namespace)"
#define HOLDER_CONTAINED " in its container"

/* What people search for: "POSIX write lock", "OFD lock", "flock", "lease". */
const char *hold_name(enum hold hold);

/* "POSIX write lock of pid 4242 (python3), RESERVED". */
void holder_describe(struct text *t, const struct holder *h);

/* "a process that cannot be named from here"; NULL if it has a pid. */
const char *holder_unnamed(const struct holder *h);

/* A member of the current list: an object with all that is known. path: that of the question. */
void holder_json(struct json *j, const struct holder *h, const char *path);

/* As many as there is room for, how many more there are, and whether there may be others. */
void holders_describe(struct text *t, const struct holders *found);

/* What kept it from being complete, as a sentence; nothing if it is. */
void holders_say_missing(struct text *t, const struct holders *found);

#endif
