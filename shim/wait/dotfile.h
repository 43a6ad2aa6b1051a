/* The locks of SQLite's VFS unix-dotfile, for file systems without others: whoever has one on a
 * database, to read or to write, has made a directory of its name with ".lock" behind it
 * (dotlockLock in SQLite's os_unix.c). So the kernel knows of no lock, and nothing tells whose it
 * is. What a crash has left there stays, for SQLite, too. */
#ifndef SETTLE_DOTFILE_H
#define SETTLE_DOTFILE_H

#include <stdbool.h>

extern const char dotfile_ending[];

/* One system call; false also where there is no memory. Any thread. */
bool dotfile_is_held(const char *database);

#endif
