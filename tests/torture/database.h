/* What one thread of a worker does with the database: it opens, writes, reads and closes, over and
 * over. Every row says by its checksum whether it is whole. */
#ifndef TORTURE_DATABASE_H
#define TORTURE_DATABASE_H

#include "shared.h"

struct life {
    const char *database;
    int report; /* gets the row's name (struct reported) after each COMMIT that has returned */
    struct shared *shared;
    struct thread_slot *slot;
    unsigned seed;
    uint64_t writer;
    uint64_t number; /* of the last row */
};

struct reported {
    uint64_t writer;
    uint64_t number;
};

/* One connection, from its open to its close. */
void database_visit(struct life *life);

/* A number from 0 to most - 1. */
unsigned chance(unsigned *seed, unsigned most);

/* Sleeps less than `most` microseconds. */
void pause_up_to(unsigned *seed, unsigned most);

#endif
