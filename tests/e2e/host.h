/* A host and its close: a real program that opens a store, waits for a word, closes it and ends;
 * with the library and without, under the same circumstances. */
#ifndef SETTLE_HOST_H
#define SETTLE_HOST_H

#include "e2e.h"

/* Says "open", reads a line, closes the store, says "closed". */
struct host {
    const char *name;
    const char *command[6]; /* the path of the store follows */
    const char *first;      /* what it has to be told before it opens the store; NULL: nothing */
    const char *close;      /* what it is told then */
};

/* python3, Perl and the sqlite3 shell: three ways to come by SQLite. */
enum { PYTHON, PERL, SHELL, HOSTS };
extern const struct host hosts[HOSTS];

/* A host that is one program with arguments of its own, in C or in Python. */
#define C_HOST(...)                                                                                \
    (&(const struct host){.name = #__VA_ARGS__, .command = {__VA_ARGS__}, .close = "close"})

#define PYTHON_HOST(...)                                                                           \
    (&(const struct host){                                                                         \
        .name = #__VA_ARGS__, .command = {"/usr/bin/python3", __VA_ARGS__}, .close = "close"})

/* What is wrong around a host, with the library or without. NULL: nothing. */
struct around {
    const char *const *wrapper;  /* a command that runs the host */
    const char *const *settings; /* NAME=VALUE, where the library is loaded */
    const char *preload;         /* what else is preloaded in both runs; %s: the library's place */
    const char *library;         /* its name in LD_PRELOAD; NULL: its path */
    const char *inject;          /* strace injects this fault once the store is open */
    const char *store;           /* its name for the host; NULL: world.primary */
};

enum effect {
    WAITS,  /* the close returns when the lock on the store is gone */
    DELAYS, /* it returns after the fixed delay, though the lock stays */
    PASSES, /* it returns at once, though the lock stays */
    LIVES,  /* one of these */
};

/* Runs the host twice and holds the two runs together: what it prints and its exit status are the
 * same, and with the library the close has that effect. said: what the one line of the library on
 * standard error contains; NULL: there is none (or one at most, of a host that LIVES). */
void expect_same_result(const struct host *host, const struct around *around, enum effect effect,
                        const char *said);

/* "LD_PRELOAD=" and a list with the library in the place of its %s; the library alone if there is
 * no list. Valid until the next call but one. */
const char *preload(const char *list, const char *library);

/* The path of the built library. */
const char *library_path(void);

/* Everything that a process printed until it ended, and its exit status. */
struct result {
    int status;
    char out[4096];
    char err[4096];  /* without the lines of the library */
    char said[4096]; /* the lines of the library */
    unsigned lines;  /* of these */
};
struct result result_of(struct process *p);

/* Both printed the same and ended the same. */
void expect_equal(const char *name, const struct result *plain, const struct result *shimmed);

/* Lets an ordinary user into the world. */
extern const char ordinary_user[];
void open_world(void);

#endif
