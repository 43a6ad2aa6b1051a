/* Globs of directories: *, ?, [a-z], [!a-z] and a backslash before what shall be itself.
 *
 * Not fnmatch(3): that depends on the program's locale and allocates for long names, and these are
 * matched where a signal handler may have interrupted malloc. The unit test holds this against it.
 */
#ifndef SETTLE_GLOB_H
#define SETTLE_GLOB_H

#include <stdbool.h>

/* True if the glob matches the whole path. As in the shell, nothing but a slash matches a slash,
 * and nothing but a period matches the one that a name begins with. */
bool glob_matches(const char *glob, const char *path);

/* True if the glob matches the path or a directory above it; "" is above every absolute path. */
bool glob_covers(const char *glob, const char *path);

#endif
