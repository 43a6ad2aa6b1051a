/* A search for holders: which files they hold, and who has been found so far. Within this room. */
#ifndef SETTLE_SEARCH_H
#define SETTLE_SEARCH_H

#include "base/identity.h"
#include "holders/holders.h"
#include "holders/proc.h"

enum { SEARCH_FILES = 4, SEARCH_FIRST = 64 };

/* A file whose holders are looked for. */
struct file {
    struct identity identity;
    struct proc_file in_proc;
    bool has_twins; /* others may have the same in_proc */
    const char *ending;
    bool wal_index;
};

struct search {
    const struct holders_question *question;
    struct holders *found;
    struct file files[SEARCH_FILES];
    unsigned file_count;
    int self; /* this process, as /proc counts */
    /* Processes that are looked into before all others, and so not again. */
    struct {
        int pid;
        bool refused;
    } first[SEARCH_FIRST];
    unsigned first_count;
    unsigned untold; /* locks of /proc/locks that found no room */
    bool saw_init;
};

/* Whether a hold keeps the file from the level. A lease for reading stands in the way of nothing
 * but an open for writing. */
bool search_matters(const struct holder *h, enum until until);

/* Adds one that was found. False, having counted it, if there is no room. */
bool search_add(struct holders *found, const struct holder *h);

bool search_out_of_time(struct search *s);

/* Adds the file of the question's path and an ending, if there is one. */
void search_add_file(struct search *s, const char *ending);

/* Which of them it is; NULL if none. */
const struct file *search_file_of(const struct search *s, struct identity identity);
const struct file *search_file_in_proc(const struct search *s, struct proc_file in_proc);

/* Says of a lock which of the files it is on. */
void search_set_file(struct holder *h, const struct file *file);

/* The same lock, whoever's. */
bool search_same_lock(const struct holder *a, const struct holder *b);

/* A lock of a descriptor: completes the one that /proc/locks told of, or is a further one. Several
 * processes have the same flock or OFD lock after a fork, and each of them keeps it. False if the
 * process's lock is known by another descriptor already: a POSIX lock is its process's. */
bool search_take_lock(struct search *s, struct holder *lock, int pid);

#endif
