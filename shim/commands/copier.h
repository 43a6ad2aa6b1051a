/* The process that makes the copy, while another one keeps the writers out (copy_lock.h): it may
 * open and close the database's files, since the locks are not its own.
 *
 * It carries out orders, one at a time, and answers each. When whoever gave them ends, it removes
 * what it has made and ends, too.
 */
#ifndef SETTLE_COPIER_H
#define SETTLE_COPIER_H

#include "commands/copy_job.h"
#include "commands/copy_place.h"

#include <sys/types.h>

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
