/* A line appended to a file of the library's own, with one write.
 *
 * The file is opened, written and closed in a helper, in whose descriptor table it disturbs no
 * number of the program's; so a descriptor that the program closes behind the library's back can
 * never become one that the library writes to.
 *
 * Where no thread can be made, as the user's limit of them is reached (RLIMIT_NPROC), a process of
 * one thread writes itself: nobody sees the descriptor come and go then.
 */
#ifndef SETTLE_APPEND_H
#define SETTLE_APPEND_H

#include <stdbool.h>
#include <stddef.h>

/* ns: how long a call waits for a line to be written. */
enum { APPEND_PATIENCE = 1000000000 };

struct helper;

/* Whether lines must not be written there: a database, or what has the name of a store's file. fd:
 * -1 before the file is opened. Absolute paths. */
bool append_would_harm(int fd, const char *path);

/* Appends a line to the file. Returns 0 or an errno value; ESRCH in a fork child that a
 * signal handler made meanwhile, where there is nothing to say. Refuses a symbolic link (ELOOP) and
 * a store (EINVAL), never waits for the reader of a FIFO, keeps errno, and may be called in a
 * signal handler. */
int append_line(const char *path, const char *line, size_t length);

/* Runs work(request) in a helper; or, where no thread can be made (above), in the calling thread,
 * with all signals held until it has ended. work may write by append_here and open nothing else.
 * Returns as helper_run. */
int append_run(struct helper *helper, void (*work)(void *request));

/* A part of what is written: whole lines. */
struct piece {
    const char *data;
    size_t length;
};

/* The same where it is called, which is a helper: each piece with one write. */
int append_here(const char *path, const struct piece *pieces, unsigned count);

#endif
