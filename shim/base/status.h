/* Numbers in what the kernel tells of a process: lines of "Name:\tnumbers" (proc(5),
 * /proc/pid/status). The file is open in the calling thread's table for a moment. */
#ifndef SETTLE_STATUS_H
#define SETTLE_STATUS_H

#include <stdbool.h>

/* Sets values[i] to the last number of the line that names[i] ("NSpid:") begins, or to -1 where
 * there is no such line. False where the file cannot be read. */
bool status_read(const char *path, const char *const *names, long *values, unsigned count);

#endif
