/* The end of a copy: it is checked, gets its attributes, is written to the disk, and only then gets
 * its name. */
#ifndef SETTLE_COPY_FINISH_H
#define SETTLE_COPY_FINISH_H

#include "commands/copy_job.h"
#include "commands/copy_place.h"

/* Of all jobs. False, with the reason in c, and the number of the job that it failed at; then
 * nothing has the name. */
bool copy_finish(struct copy_job *jobs, unsigned count, const struct copy_place *place,
                 struct copying *c);

#endif
