/* Looks that are put off: files that the program opens to read and write, where stores are known by
 * their content. Most are none, and the look is a system call of each open.
 *
 * In a process that has had no engine such an open is no use, and what is already there and is not
 * opened as SQLite opens it need not be known before something is done with it. So its number is
 * noted, and looked at by the next call on it, mostly its close. Where the program itself asks for
 * its size meanwhile (fstat, as Perl and Python do after each open), the answer tells, too.
 *
 * What was opened by other numbers counts as well when one is closed: so that close looks at all.
 */
#ifndef SETTLE_LATER_H
#define SETTLE_LATER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct later_books {
    /* Those in the table: up before the entry, down by whoever has taken it out. */
    _Atomic uint32_t count;
};

/* Notes one that was just opened; false if it must be looked at now. */
bool later_put(int fd);

/* The number is that of another file now. */
void later_forget(int fd);

/* Looks at it, if that was put off. */
void later_look(int fd);

/* Looks at all. */
void later_look_at_all(void);

#endif
