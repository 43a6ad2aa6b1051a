/* Globs of directories: *, ?, [a-z], [!a-z] and a backslash before what shall be itself.
 *
 * Not fnmatch(3): that depends on the program's locale and allocates for long names, and these are
 * matched where a signal handler may have interrupted malloc. The unit test holds this against it.
 */
#ifndef SETTLE_GLOB_H
#define SETTLE_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* True if the glob matches the whole path. As in the shell, nothing but a slash matches a slash,
 * and nothing but a period matches the one that a name begins with. */
bool glob_matches(const char *glob, const char *path);

/* True if the glob matches a directory that the path is in or below; "" is above every absolute
 * path. */
bool glob_covers(const char *glob, const char *path);

/* Makes the glob absolute and resolves the symbolic links of what is no glob, as far as it exists,
 * in place. False if some of that does not exist yet. At start only: opens what it
 * resolves, for a moment and as a name alone (O_PATH). */
bool glob_resolve(char *glob, size_t size);

#endif
