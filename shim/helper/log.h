/* The log: one line a message, to standard error or a file, and never into the program's own files.
 */
#ifndef SETTLE_LOG_H
#define SETTLE_LOG_H

#include "base/text.h"
#include "config/settings.h"
#include "helper/lines.h"

#include <stdbool.h>

/* POLLOUT promises room for PIPE_BUF bytes: no more can be written to a pipe without a risk to
 * block. */
enum { LOG_LINE_SIZE = PIPE_BUF };

/* One line that is being written, in memory of its own (scratch.h). Each that is begun is ended. */
struct log_line {
    enum log_level level;
    struct text text;
    char *buffer;        /* NULL: there was no memory, and what is added is dropped */
    struct lines *lines; /* in a helper: those of its call; else NULL */
};

/* Remembers which file descriptor 2 is now, and where to log. file: "" for standard error. Call
 * once, before the program can have changed its descriptors. */
void log_start(enum log_level level, const char *file);

/* True if lines of the level are wanted. Two loads at most. */
bool log_wants(enum log_level level);

/* From here on no line is written, or they are again. */
void log_silence(bool silent);

/* Begins a line. The text starts behind the prefix. */
void log_begin(struct log_line *line, enum log_level level);

/* The same in a helper (lines.h); lines NULL: in the program's thread. */
void log_begin_in(struct log_line *line, enum log_level level, struct lines *lines);

/* Writes the line with one write. Async-signal-safe; never blocks on a full pipe, never raises
 * SIGPIPE; keeps errno. A line that cannot be written is dropped; that a log file cannot be written
 * is said once on standard error. */
void log_end(struct log_line *line);

/* A line of one piece; and one of a path, then a message. */
void log_say(enum log_level level, const char *message);
void log_say_path(enum log_level level, const char *path, const char *message);

#endif
