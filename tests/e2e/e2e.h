/* What the end-to-end tests share: programs spawned under the built library, a holder of locks, the
 * log.
 *
 * The test runner itself is never preloaded. All times are CLOCK_MONOTONIC, the same clock in every
 * process.
 */
#ifndef SETTLE_E2E_H
#define SETTLE_E2E_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* PROMPTLY: ns, room for a busy machine after what ends a wait. What misses that is late by more;
 * how little it is late is measured in tests/bench. */
enum { MS = 1000000, PROMPTLY = 1000 * MS, ARGUMENTS = 24 };

/* A directory of the test's own, with a store in it; made by setup, removed by teardown. */
struct world {
    char dir[PATH_MAX];     /* the persist directory */
    char primary[PATH_MAX]; /* dir/chroma.sqlite3, an empty file until a program fills it */
    char log[PATH_MAX];     /* the library's log, outside of dir */
};
extern struct world world;
void world_begin(void);
void world_end(void);

/* A path in the world's directory; valid until the fourth next call. */
const char *in_dir(const char *name);

struct process {
    pid_t pid;
    int in;
    FILE *out; /* its standard output, by lines */
    char err[PATH_MAX];
};

/* Spawns a command. Under the shim: through scripts/settle, with the log at debug in world.log and
 * the further options (NULL-terminated) given. The command: a NULL-terminated list. */
struct process spawn_plain(const char *const *command);
struct process spawn_shimmed(const char *const *options, const char *const *command);
#define PLAIN(...) spawn_plain((const char *const[]){__VA_ARGS__, NULL})
#define SHIMMED(...)                                                                               \
    spawn_shimmed((const char *const[]){NULL}, (const char *const[]){__VA_ARGS__, NULL})
#define OPTIONS(...)            ((const char *const[]){__VA_ARGS__, NULL})
#define SHIMMED_WITH(list, ...) spawn_shimmed(list, (const char *const[]){__VA_ARGS__, NULL})

/* The next line of the process's output, with its newline. False at the end, or if none comes in 20
 * s. */
bool read_line(struct process *p, char *line, int size);

/* Reads lines of the process's output until one begins with `word`; returns when it came. */
uint64_t await_line(struct process *p, const char *word);

/* Whether such a line comes within a time: that something waits is seen by that none does. */
bool says(struct process *p, const char *word, unsigned ms);

/* The number that follows `word` in such a line. */
long await_number(struct process *p, const char *word);

/* Sends a line to its standard input. */
void send_line(struct process *p, const char *line);

/* Closes its input and waits for its end; the exit status, or 128 + the signal. Kills it after 20
 * s. */
int finish(struct process *p);

void kill_now(struct process *p);

/* What it wrote to standard error, as a string that the next call overwrites. */
const char *errors_of(const struct process *p);

/* One command to programs/stepper and its answer. */
struct step {
    long result;
    int error;     /* errno as the program saw it */
    uint64_t took; /* ns */
};
struct step step(struct process *p, const char *command);
struct step say(struct process *p, const char *command, const char *path);

/* A process that holds a lock ("posix", "posix-read", "ofd", "flock", "flock-shared") on a path
 * from now on, or has it open without one ("open", "writing", "mapped"). For a time: this begins
 * when somebody else opens the file or closes it (programs/holder.c, +MS), so that who is late on a
 * busy machine finds it held nevertheless; if nobody does in 10 s, it lets go. */
struct process hold(const char *kind, const char *path, unsigned ms);

/* ... until let_go: for tests that first have to see something happen while it is held. */
struct process hold_until_told(const char *kind, const char *path);

/* Has it let go; the moment just before it did. */
uint64_t let_go(struct process *holder);

/* A strace with these options (NULL-terminated) that is attached to a process from now on. */
struct process attach_strace(const struct process *p, const char *const *options);

/* The one child of a process of one thread, for what takes a process's number alone. */
struct process first_child(const struct process *p);

/* How many threads a process has. */
unsigned threads_of(const struct process *p);

/* Until the process has at least so many threads, and a moment more. A close that waits has one of
 * its own, which asks at once: so this tells when it has found the store to be held. */
void await_threads(const struct process *p, unsigned count);

/* Until somebody who could write to a file closes it, from the first call on: for programs whose
 * waits are no thread of theirs. A moment later the wait of that close has begun. */
int watch_closes(const char *path);
void await_close(int watch);

/* The moment just before it let go. */
uint64_t released_at(struct process *holder);

uint64_t now_ns(void);
void sleep_ms(unsigned ms);

/* The log so far. */
bool log_has(const char *text);
unsigned log_count(const char *text);

/* The number of waits in the log, by whatever outcome. */
unsigned log_waits(void);

/* For a close that is to time out, and to name who only a look through all processes finds. That
 * takes 50 ms at most, which a busy machine may not have; then the log says so, and what it does
 * not name proves nothing. So: while (look_again()), at most two hundred times. */
bool look_again(void);

/* Who holds a POSIX lock on the byte at `offset` of a file; 0 if nobody. */
pid_t lock_owner(const char *path, long offset);

#endif
