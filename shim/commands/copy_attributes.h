/* What a file of a copy has besides its content: the mode, the times, the owner, lists of who may
 * do what (acl(5)), and attributes of users (xattr(7)). Those of the system's security policy and
 * of file systems for themselves (security.*, trusted.*) are the new place's. */
#ifndef SETTLE_COPY_ATTRIBUTES_H
#define SETTLE_COPY_ATTRIBUTES_H

#include <sys/stat.h>

/* Those that have a name, from one open file or directory to another. Where the new file system has
 * no such lists, st loses what the mode gives to the group, which stands for all in the list. The
 * mode of the new one may be another afterwards. */
void copy_named_attributes(int from, int to, struct stat *st);

/* The mode, the times, and the owner where that is permitted. 0 or -errno. */
int copy_attributes(int to, const struct stat *st);

#endif
