/* Where a copy comes to be: a directory beside TO, in which it grows under its name and from which
 * it is renamed when it is whole. */
#ifndef SETTLE_COPY_PLACE_H
#define SETTLE_COPY_PLACE_H

#include "base/text.h"
#include "config/profile.h"

#include <limits.h>
#include <stdbool.h>

struct copy_place {
    int parent; /* of TO */
    int temporary;
    char temporary_name[NAME_MAX + 1];
    char name[NAME_MAX + 1]; /* of TO in its directory */
    char path[PATH_MAX];     /* TO, absolute where that can be told */
    bool several;            /* it is a directory in which each store has its name */
};

/* Finds the place; makes nothing. False, with the reason in why, if TO is already there or there is
 * no such directory. */
bool copy_place_find(struct copy_place *place, const char *to, struct text *why);

/* Whether nothing lies beside TO, a file, that an engine would take for its sidecar, and fold into
 * it or roll back by it. False, with the reason in why. */
bool copy_place_is_clear(const struct copy_place *place, const struct profile *profile,
                         struct text *why);

/* True if the place lies in a directory. */
bool copy_place_is_in(const struct copy_place *place, const char *directory);

/* Makes the directory. One that was left behind by a copy that was killed is removed first; that of
 * one that goes on is left alone, and then there is none to be had. */
bool copy_place_make(struct copy_place *place, struct text *why);

/* Removes it with all that is in it. */
void copy_place_remove(struct copy_place *place);

#endif
