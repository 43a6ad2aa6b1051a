/* Text for a POSIX shell to evaluate, in which every value arrives as it was given. */
#ifndef SETTLE_SHELL_TEXT_H
#define SETTLE_SHELL_TEXT_H

#include <stdbool.h>
#include <stdio.h>

/* All return true, so that they may end what has gone well. */

/* Exports a variable. */
bool shell_export(FILE *out, const char *variable, const char *value);

/* Puts a value behind what a variable has already, with the separator between; prefix: "export " or
 * nothing. */
bool shell_add(FILE *out, const char *prefix, const char *variable, const char *separator,
               const char *value);

/* Puts ` option value` behind what a variable has, as words for the shell to evaluate once more.
 * False where there is no memory. */
bool shell_add_words(FILE *out, const char *variable, const char *option, const char *value);

#endif
