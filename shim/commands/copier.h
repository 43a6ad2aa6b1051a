/* The process that makes the copy, while another one keeps the writers out (copy_lock.h): it may
 * open and close the database's files, since the locks are not its own.
 *
 * It carries out orders, one at a time, and answers each. When whoever gave them ends, it removes
 * what it has made and ends, too.
 */
#ifndef SETTLE_COPIER_H
#define SETTLE_COPIER_H

#include "commands/copy_directory.h"
#include "commands/copy_place.h"

#include <sys/types.h>

/* The file that decides, and its sidecars as far as they are copied. */
enum { COPIED_BESIDE = 4 };

/* One store that is copied. */
struct copy_job {
    const char *directory; /* of the store; NULL: it is a file alone */
    const char *database;  /* the file that decides */
    char of[PATH_MAX];     /* room for the directory */
    const struct profile *profile;
    char path[PATH_MAX]; /* what the copy is called within the directory that is being filled */
    /* the copier's own */
    struct copy_directory files;
    struct stat top;                   /* of the directory */
    struct stat beside[COPIED_BESIDE]; /* of the database and what lies beside it; no link: none */
};

enum copier_order {
    ORDER_PREPARE = 'p', /* copy what needs no lock, and is compared later */
    ORDER_COPY = 'c',    /* copy the rest, until all is at rest */
    ORDER_FINISH = 'f',  /* check all copies, write them to the disk, give them the name */
};

struct copier {
    struct copying *shared;
    struct copy_job *jobs;
    unsigned count;
    const struct copy_place *place;
    pid_t pid;
    int orders, answers;
};

/* Starts the process. False if there is no memory, no descriptor or no process. */
bool copier_start(struct copier *c);

/* Gives an order; answers becomes readable when it has been carried out. */
void copier_order(const struct copier *c, enum copier_order order, unsigned job);

/* Reads the answer: false if it failed, with shared->reason, or the process is gone. */
bool copier_answer(const struct copier *c);

/* Ends the process, if it is there. What it has made stays. */
void copier_end(struct copier *c);

#endif
