/* The locks of SQLite's VFS unix-dotfile, for file systems without others: whoever has one on a
 * database, to read or to write, has made a directory of its name with ".lock" behind it
 * (dotlockLock in SQLite's os_unix.c). So the kernel knows of no lock, and nothing tells whose it
 * is. What a crash has left there stays, for SQLite, too. */
#ifndef SETTLE_DOTFILE_H
#define SETTLE_DOTFILE_H

#include <stdbool.h>
#include <stddef.h>

extern const char dotfile_ending[];

/* Whether a path is called as one; and the length of what it is made of: the path of the database.
 */
bool dotfile_has_name(const char *path);
size_t dotfile_stem(const char *path);

/* One system call; false also where there is no memory. Any thread. */
bool dotfile_is_held(const char *database);

#endif
