/* What people are told of each profile. */
#ifndef SETTLE_ABOUT_H
#define SETTLE_ABOUT_H

#include "config/profile.h"

/* What it is, and how it is known: "every DuckDB database, by its content". NULL of that of
 * SETTLE_DIRS. */
const char *about_profile(const struct profile *profile);

#endif
