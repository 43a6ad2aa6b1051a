/* What of a target settle-wait --copy copies, and under which name. */
#ifndef SETTLE_COPY_SOURCE_H
#define SETTLE_COPY_SOURCE_H

#include "commands/target.h"

/* The row that it belongs to; NULL if none knows it. A file is known by what it begins with. */
const struct profile *copy_source_profile(const struct target *t);

/* Whether SQLite waits for its writers and keeps them out, so that it need not be waited for. */
bool copy_source_is_sqlite(const struct target *t);

/* Whether it is a directory with all that is in it, or a file and its sidecars. */
bool copy_source_is_directory(const struct target *t);

/* Of one that is: what was given, or where the file lies that was. */
bool copy_source_directory(const struct target *t, char *out, size_t size);

/* The last part of that; where it is a dot, that of the real path. False if there is none. */
bool copy_source_name(const struct target *t, char *out, size_t size);

#endif
