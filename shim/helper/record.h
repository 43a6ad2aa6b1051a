/* The record (SETTLE_RECORD): one JSON object a line for each store opened, handle opened and
 * closed, wait begun and ended. settle-report(1) has the schema.
 *
 * Every function may be called in a signal handler and keeps errno. A line is one write, so the
 * lines of many threads and processes stay whole. Where one cannot be written, that is said once in
 * the log, and the program goes on.
 */
#ifndef SETTLE_RECORD_H
#define SETTLE_RECORD_H

#include "base/json.h"
#include "helper/lines.h"

/* The version of the schema, in each line. */
enum { RECORD_SCHEMA = 1 };

/* file: "" for none; so is used, a list of the stores' paths, each with a NUL behind it
 * (settle_run.c). Both must outlive the program. */
void record_start(const char *file, const char *used);

/* The program is another than this process's; the path must stay. */
void record_program(const char *path);

bool record_wanted(void);

/* One line that is being written. */
struct record {
    char *buffer;
    struct lines *lines; /* in a helper: those of its call; else NULL */
    struct text text;
    struct json json;
};

/* Begins a line with what each has: event, time, process, thread, program. False if there is none
 * to write; then nothing is to be added or ended. */
bool record_begin(struct record *r, const char *event);

/* The same in a helper (lines.h); lines NULL: in the program's thread. */
bool record_begin_in(struct record *r, const char *event, struct lines *lines);

void record_end(struct record *r);

/* Whether settle-run wants the list of stores. */
bool record_lists_used(void);

/* Adds a store to the list, if one is wanted. */
void record_used(const char *path);

#endif
