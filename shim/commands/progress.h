/* settle-wait's line on a terminal: what it waits for, who holds it, how much time is left. */
#ifndef SETTLE_PROGRESS_H
#define SETTLE_PROGRESS_H

#include "commands/target.h"

#include <stdbool.h>

/* True if standard error is a terminal. */
bool progress_wanted(void);

/* Draws the line anew. */
void progress_draw(const struct target *t);

/* The same of a copy that is made: what is done of it in bytes, and until when (clock_now) its
 * writers are kept out; UINT64_MAX: they are not. */
void progress_draw_copy(const struct target *t, uint64_t bytes, uint64_t total, uint64_t deadline);

/* "12.3 of 45.6 MB" */
void progress_say_bytes(struct text *t, uint64_t bytes, uint64_t total);

/* Erases it, if it was drawn. */
void progress_erase(void);

#endif
