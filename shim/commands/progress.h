/* settle-wait's line on a terminal: what it waits for, who holds it, how much time is left. */
#ifndef SETTLE_PROGRESS_H
#define SETTLE_PROGRESS_H

#include "commands/target.h"

#include <stdbool.h>

/* True if standard error is a terminal. */
bool progress_wanted(void);

/* Draws the line anew. */
void progress_draw(const struct target *t);

/* Erases it, if it was drawn. */
void progress_erase(void);

#endif
