/* Finding the file that a wait is about, from a path that somebody gave.
 *
 * Opens what it looks at, so it runs in a helper (helper.h).
 */
#ifndef SETTLE_LOCATE_H
#define SETTLE_LOCATE_H

#include "config/profile.h"

/* Both fill in `out` (of PATH_MAX bytes) with the path without symbolic links, or as it was given
 * where there is no /proc, and return 0 or an error number: EISDIR, ENOENT and so on. */
int locate_file(const char *path, char *out);

/* The primary of the store in a directory. ENOTDIR if it is none, ENODATA if no profile knows a
 * file in it. */
int locate_store(const char *directory, char *out, const struct profile **profile);

#endif
