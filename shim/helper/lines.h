/* Lines for files of the library's own that one call of the program brings about, of the log and of
 * the record: held until its end, and written by one helper. Where a helper runs for the call
 * already, it writes them itself.
 *
 * A line is lost in no case in which the program goes on: who holds lines writes them before the
 * call returns. They wait for nothing that takes time: what is held before a wait is written once
 * that lasts (lines_write).
 *
 * Every function may be called in a signal handler and keeps errno. One that interrupted a holder
 * holds none itself while the holder's are in use, and what it says is written at once.
 */
#ifndef SETTLE_LINES_H
#define SETTLE_LINES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct lines;

/* Called in the program's thread for a line that could not be written. error: an errno value.
 * length 0: the line is not known any more. */
typedef void lines_failed(const char *line, size_t length, int error);

/* That there are lines for files; without this call nothing is held. */
void lines_start(void);

/* This thread's lines are held until lines_release with the same frame, an address on its stack;
 * nothing where they are held already. A holder that was left by longjmp is known by its frame,
 * which lies below one that is in use. */
void lines_hold(const void *frame);

/* Writes what is held by that frame. Nothing where another holds, in a fork child, or without a
 * hold. */
void lines_release(const void *frame);

/* Writes one line, or adds it to those that are held. path: of the file, which must outlive the
 * program. */
void lines_put(const char *path, const char *line, size_t length, lines_failed *failed);

/* --- lent to a helper --- */

/* In the helper's memory, zeros at first. The lines are in one hand at a time, by exchange; a
 * thread that leaves the call by longjmp leaves them to the helper. */
struct lending {
    struct lines *_Atomic lines; /* NULL: none were lent, or somebody has them */
    _Atomic int end; /* who tells of it, once that is decided (lines.c); 0: nobody yet */
};

/* Lends what this thread holds to a helper that is about to run. True if anything is held. */
bool lines_lend(struct lending *lending);

/* In the helper: writes what there is, before a wait goes on. */
void lines_write(struct lending *lending);

/* In the helper, when the wait has ended: the lines to tell of it by, and lines_end has to follow;
 * NULL if the thread that lent them does, or none were lent. */
struct lines *lines_begin_end(struct lending *lending);
void lines_end(struct lending *lending, struct lines *lines);

/* In the thread that lent them, when it waits no more: true if the helper has told of the end, or
 * is just doing so. */
bool lines_take_back(struct lending *lending);

/* In the helper: lines_put, of a line of the call. path NULL: for standard error, which only the
 * thread has; so it calls failed with error 0. */
void lines_add(struct lines *lines, const char *path, const char *line, size_t length,
               lines_failed *failed);

/* Whose they are, as the record says it. */
int lines_pid(const struct lines *lines);
int lines_thread(const struct lines *lines);

#endif
