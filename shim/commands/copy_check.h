/* Opening the copy of a database, which nobody else has: what came along in its -wal is folded in,
 * and SQLite checks what there is. */
#ifndef SETTLE_COPY_CHECK_H
#define SETTLE_COPY_CHECK_H

#include "base/text.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Leaves the main file alone. False, with the reason in why, if the copy cannot be used. */
bool copy_check(const char *database, _Atomic bool *cancelled, struct text *why);

#endif
