/* The files of a store's directory, as a list that can be held against a later one. */
#ifndef SETTLE_COPY_TREE_H
#define SETTLE_COPY_TREE_H

#include "base/identity.h"
#include "base/text.h"
#include "config/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct tree_entry {
    char *path;     /* relative to the directory */
    struct stat st; /* of what a symbolic link points to */
    bool index; /* must be at rest: one of the profile's secondary files; or any, where all are */
    bool fresh; /* written just before it was looked at (copy_directory.c) */
};

struct tree {
    struct tree_entry *entries; /* sorted by path, so that a directory stands before its files */
    size_t count, room;
};

/* Lists directories and regular files, those behind symbolic links included; not the primary of the
 * profile and its sidecars, nor pipes, sockets, devices, links that lead nowhere, and the directory
 * `without`, to which a link may lead. What goes away meanwhile is left out. False, with the reason
 * in why, if something cannot be listed. */
bool tree_read(struct tree *tree, int directory, const struct profile *profile,
               struct identity without, struct text *why);

void tree_free(struct tree *tree);

/* Finds a path; NULL if it is not there. */
const struct tree_entry *tree_find(const struct tree *tree, const char *path);

/* True if a file was not written, replaced or cut between two looks at it, as far as the grain of
 * its times tells (copy_directory.c). */
bool tree_same(const struct stat *a, const struct stat *b);

#endif
