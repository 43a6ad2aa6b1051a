/* Which opened files are looked at closely: those that are called as a store's file is, or may lead
 * to one under another name, or are what a setting tells to look for. All others end here, at the
 * price of a system call or two. */
#ifndef SETTLE_LOOK_H
#define SETTLE_LOOK_H

#include "config/settings.h"

#include <sys/stat.h>

/* settings must outlive the program. */
void look_start(const struct settings *settings);

/* Whether a descriptor whose look was put off (later.h) is to be looked at closely; the quick no,
 * by what fstat tells of its kind and size. */
bool look_deserves(int fd, const struct stat *st);
bool look_size_is_none(const struct stat *st);

/* The process has had a descriptor in the table: opens may be of the same files. Open path only. */
void look_for_more(void);

/* There are closes that are put off, or none any more. */
void look_for_kept(void);

/* No open makes a system call of ours from here on; it may again. */
void look_stop(void);
void look_go_on(void);

#endif
