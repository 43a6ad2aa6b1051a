/* Which program a command's name means. */
#ifndef SETTLE_SEARCH_PATH_H
#define SETTLE_SEARCH_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* The first regular file of that name that may be executed, in the directories of PATH, as
 * execvp(3) looks for a name without a slash. False, with out undefined, if there is none. */
bool search_path(const char *name, char *out, size_t size);

#endif
