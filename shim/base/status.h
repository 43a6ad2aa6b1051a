/* Numbers in what the kernel tells of a process: lines of "Name:\tnumbers" (proc(5),
 * /proc/pid/status). */
#ifndef SETTLE_STATUS_H
#define SETTLE_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Sets values[i] to the last number of the line that names[i] ("NSpid:") begins, or to -1 where
 * there is no such line. False where the file cannot be read. It is open in the calling thread's
 * table for a moment. */
bool status_read(const char *path, const char *const *names, long *values, unsigned count);

/* In the text of such a file, a set of signals, which is hexadecimal; 0 where there is no such
 * line. name: with the end of the line before ("\nSigPnd:"), since a program's name may hold
 * anything else. */
static inline uint64_t status_set(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 16);
}

#endif
