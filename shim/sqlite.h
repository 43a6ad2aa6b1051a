/* Finding the real sqlite3_close of whoever called ours. */
#ifndef SETTLE_SQLITE_H
#define SETTLE_SQLITE_H

#include "symbols.h"

enum sqlite_symbol {
#define NUMBER(name) SYMBOL_##name,
    SETTLE_SQLITE_SYMBOLS(NUMBER) SETTLE_SQLITE_ASKED(NUMBER)
#undef NUMBER
        SQLITE_SYMBOL_COUNT
};

/* The real function for a call that returns to `caller`; NULL if there is none anywhere. Looks in
 * the object that holds the caller and what it depends on, then behind the shim, then in a
 * libsqlite3 that is loaded anyhow. Found once, it is remembered by the caller's object, so that a
 * close after an open in the same object asks the loader nothing. */
void *sqlite_real(enum sqlite_symbol symbol, const void *caller);

/* An object was unloaded: what was remembered may be wrong. */
void sqlite_forget(void);

#endif
