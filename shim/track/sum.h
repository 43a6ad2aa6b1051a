/* What is counted for the summary at the end (config/summary.h). */
#ifndef SETTLE_SUM_H
#define SETTLE_SUM_H

#include "base/sys.h"
#include "config/settings.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Added to by whoever ends a close or a use, and read at the end. What is written at the two paths,
 * which are kept elsewhere, is written once, by whoever raises the state from SUM_NONE. */
struct sum_books {
    _Atomic uint32_t stores, closes, uses, waited, timed_out;
    _Atomic uint64_t elapsed, longest;
    _Atomic uint32_t database, directory; /* enum sum_state */
    _Atomic uint32_t told;                /* by whoever ends the process */
    _Atomic uint32_t told_early;          /* the line, by whoever closed standard error */
};

enum sum_state { SUM_NONE, SUM_BEING_WRITTEN, SUM_WRITTEN };

void sum_start(const struct settings *settings);

/* Whether anybody wants to know at the end. */
bool sum_wanted(void);

void sum_opened(void);

/* A close or use has ended. elapsed: ns, of one that did not return at once. */
void sum_ended(bool is_use, bool waited, bool timed_out, uint64_t elapsed);

/* The program has opened what is no store by the settings: a file; an SQLite database. Nothing
 * where nobody wants to know. */
void sum_stranger(int fd, const struct stat *st);
void sum_strange_database(const char *path);

/* Whether there is more to say than that a fork child, which shares its parent's program, used no
 * store. */
bool sum_is_of_interest(void);

/* The program ends: says what is wanted, once. */
void sum_tell(void);

/* Its standard error is being closed: says there what was done until then, if that is the place. */
void sum_tell_early(void);

#endif
