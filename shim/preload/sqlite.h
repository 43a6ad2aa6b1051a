/* Finding the real sqlite3_close of whoever called ours. */
#ifndef SETTLE_SQLITE_H
#define SETTLE_SQLITE_H

#include "preload/symbols.h"

#include <stdbool.h>

#define NUMBER(name) SYMBOL_##name,
enum sqlite_symbol {
    SETTLE_SQLITE_SYMBOLS(NUMBER) SETTLE_SQLITE_ASKED(NUMBER) SQLITE_SYMBOL_COUNT
};
#undef NUMBER

/* The real function for a call that returns to `caller`: the one that the call would have reached
 * without us (sqlite_lookup.h); NULL if there is none anywhere. Found once, it is remembered by the
 * caller's object, so that a close after an open in the same object asks the loader nothing. Keeps
 * errno. */
void *sqlite_real(enum sqlite_symbol symbol, const void *caller);

/* The function of the same SQLite that another one, such as a sqlite3_open, belongs to; NULL if it
 * has none. */
void *sqlite_beside(enum sqlite_symbol symbol, const void *function);

/* Whether what was once found as the sqlite3_close of some SQLite still is that. */
bool sqlite_is_loaded(const void *close_function);

/* An object was unloaded: what was remembered of it is wrong. */
void sqlite_forget_unloaded(void);

#endif
