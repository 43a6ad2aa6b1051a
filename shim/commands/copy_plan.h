/* What is copied, to which name, and what is refused before anything is made. */
#ifndef SETTLE_COPY_PLAN_H
#define SETTLE_COPY_PLAN_H

#include "commands/copy_job.h"
#include "commands/copy_place.h"
#include "commands/target.h"

/* A job for each target; finds the place. jobs: zeros; NULL: there was no memory. False, with
 * status and reason in the targets, where there is one that cannot be copied. */
bool copy_plan(struct target *targets, unsigned count, const char *to, struct copy_place *place,
               struct copy_job *jobs);

/* SQLite would roll it back for whoever opens the database to write. False. */
bool copy_plan_refuse_hot_journal(struct target *t);

void copy_plan_refuse_all(struct target *targets, unsigned count, const char *reason);

#endif
