/* What settle-wait says: sentences on standard error, a table or JSON on standard output. */
#ifndef SETTLE_PRINT_H
#define SETTLE_PRINT_H

#include "commands/target.h"

/* One line for each holder, and for whatever else there is to say of a target. */
void print_sentences(const struct target *t);

/* The holders of all targets. Nothing if there is none. */
void print_table(const struct target *targets, unsigned n);

/* One object for all. elapsed: ns since the start. */
void print_json(const struct target *targets, unsigned n, enum status status, uint64_t elapsed);

#endif
