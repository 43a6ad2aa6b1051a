/* One store that is copied: what is copied of it, and by which names. */
#ifndef SETTLE_COPY_JOB_H
#define SETTLE_COPY_JOB_H

#include "commands/copy_directory.h"

#include <limits.h>
#include <stdbool.h>

/* The file that decides, and its sidecars as far as they are copied. */
enum { COPIED_BESIDE = 4 };

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

/* The ending of one of the files that are copied under the lock, "" of the database; NULL behind
 * the last. */
const char *copy_job_ending(const struct copy_job *job, int i);

/* Whether one of them was there, and is one of the copy. */
bool copy_job_has(const struct copy_job *job, int i);

/* The database's name, and its path within files.to. */
const char *copy_job_main(const struct copy_job *job);
const char *copy_job_name(const struct copy_job *job);

#endif
