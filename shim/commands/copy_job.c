#include "commands/copy_job.h"

#include "base/path.h"

#include <stddef.h>

/* Of SQLite the -wal alone: the -shm is made anew, and a -journal that counts is refused. */
const char *copy_job_ending(const struct copy_job *job, int i)
{
    if (i == 0)
        return "";
    if (job->profile->copy == COPY_SQLITE)
        return i == 1 ? "-wal" : NULL;
    return profile_sidecar(job->profile, i - 1);
}

/* What was in SQLite's -wal the check has folded in. */
bool copy_job_has(const struct copy_job *job, int i)
{
    return i < COPIED_BESIDE && job->beside[i].st_nlink != 0 &&
           (i == 0 || job->profile->copy != COPY_SQLITE);
}

const char *copy_job_main(const struct copy_job *job)
{
    return job->directory == NULL ? path_name(job->path) : job->profile->primary;
}

const char *copy_job_name(const struct copy_job *job)
{
    return job->directory == NULL ? job->path : copy_job_main(job);
}
