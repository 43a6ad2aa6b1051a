/* Finding the file that a wait is about, from a path that somebody gave.
 *
 * Opens what it looks at, so it runs in a helper (helper.h).
 */
#ifndef SETTLE_LOCATE_H
#define SETTLE_LOCATE_H

#include "config/profile.h"

/* All fill in `out` (of PATH_MAX bytes) with the path without symbolic links, or as it was given
 * where there is no /proc, and return 0 or an error number: EISDIR, ENOENT and so on. */
int locate_file(const char *path, char *out);

/* The same of a file that may be a store's: *profile is the row that it belongs to, by its content
 * or its name, or NULL. What lies beside a lock file leads to that. */
int locate_file_of_store(const char *path, char *out, const struct profile **profile);

/* The primary of the store in a directory. ENOTDIR if it is none, ENODATA if no profile knows a
 * file in it. */
int locate_store(const char *directory, char *out, const struct profile **profile);

#endif
