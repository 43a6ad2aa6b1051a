/* What an open descriptor is: its name, its file, whether that is a database. Questions to the
 * kernel that leave the descriptor as it is. */
#ifndef SETTLE_DESCRIPTOR_H
#define SETTLE_DESCRIPTOR_H

#include "base/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* The kernel's name for the open file: absolute, without symbolic links. "" without /proc. */
void descriptor_path(int fd, char *out, size_t size);

/* The same in a helper, whose table is not that of the process. */
void descriptor_path_in_helper(int fd, char *out, size_t size);

/* Reads its first bytes, at most `size`; returns how many there are, 0 if they cannot be read. The
 * file position stays where it is. */
size_t descriptor_start(int fd, char *out, size_t size);

/* Whether it begins as an SQLite database does; *empty: there is nothing in it. The file position
 * stays where it is. */
bool descriptor_begins_as_database(int fd, bool *empty);

/* The same, and its size is that of a database. */
bool descriptor_is_database(int fd, off_t size);

/* Whether this thread's table leads to that file by another number, too; true also where that
 * cannot be told. Opens a descriptor for a moment. */
bool descriptor_has_another(int fd, struct identity file);

/* How many numbers this process may have: RLIMIT_NOFILE. */
unsigned descriptor_limit(void);

/* Whether a number is one that the other threads of the program hardly want for theirs just now:
 * not that of a standard stream, nor one of the last eight below the limit. */
bool descriptor_is_spare(int fd, unsigned limit);

#endif
