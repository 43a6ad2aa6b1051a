/* What the library did in a process, or in several together, in words: for the line at the end (of
 * a process, and of settle --after --summary), and for the record. */
#ifndef SETTLE_SUMMARY_H
#define SETTLE_SUMMARY_H

#include "base/text.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct summary {
    uint32_t stores;       /* that were opened; the same one again counts again */
    uint32_t closes;       /* of stores, that had a reason to wait */
    uint32_t uses;         /* of their files past the engine */
    uint32_t waited;       /* closes and uses that did not return at once */
    uint32_t timed_out;    /* of these */
    uint32_t never_closed; /* stores that are open at the end */
    uint64_t elapsed;      /* ns, of all that waited */
    uint64_t longest;      /* ns, of one */
    /* What was opened and is no store by the settings; "": none was seen. */
    char database[PATH_MAX];  /* an SQLite database */
    char directory[PATH_MAX]; /* of a file that was opened to be read and written */
};

/* "3 closes and 2 uses of stores: 2 waited, ..."; where there were no stores, what was looked for,
 * and what setting would have found one. looked_for: SETTLE_STORES; in: SETTLE_DIRS. */
void summary_words(struct text *t, const struct summary *s, const char *looked_for, const char *in);

/* As one line for a program, and back: adds what the line says. False, with nothing added, where it
 * is no such line. */
void summary_write(struct text *t, const struct summary *s);
bool summary_add(struct summary *s, const char *line);

#endif
