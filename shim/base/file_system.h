/* What kind of file system a file lies on, as far as locks and closes go. */
#ifndef SETTLE_FILE_SYSTEM_H
#define SETTLE_FILE_SYSTEM_H

#include <stdbool.h>

struct file_system {
    bool remote;         /* of another host, or of a program: closes may tell of failed writes */
    bool foreign;        /* a lease is granted only where the server has given the file to cache */
    bool hides_mappings; /* a mapping keeps nobody from a lease */
};

/* Whether all locks on its files are the kernel's own, and lie on the one inode that every
 * descriptor of the file has. Others may keep them elsewhere. */
bool file_system_is_local(int fd);

/* All false where the kernel does not say. */
struct file_system file_system_of(int fd);

#endif
