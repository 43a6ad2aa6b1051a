/* Which stores the arguments of a command mention: a store's primary, its directory, or one above.
 *
 * An argument is taken as a path as a whole, and piece by piece: of a line of shell, of
 * --source=PATH, of host:PATH. A name with a wildcard stands for its directory. Names are relative
 * to this process's directory, which the child may change; the root is above everything and says
 * nothing.
 */
#ifndef SETTLE_MENTION_H
#define SETTLE_MENTION_H

#include "track/store.h"

struct mention;

/* Looks through arguments (NULL-terminated) or a line of shell; both may be NULL. NULL where they
 * mention nothing, or without memory. */
struct mention *mention_of(char *const *arguments, const char *command);

bool mention_has(const struct mention *mention, const struct store *store);

void mention_free(struct mention *mention);

#endif
