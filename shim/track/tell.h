/* The words about a wait, for the log. */
#ifndef SETTLE_TELL_H
#define SETTLE_TELL_H

#include "config/rules.h"
#include "helper/log.h"
#include "wait/wait.h"

/* Writes what came of a wait. line: where to build it. lines: as in log_begin_in. */
void tell_result(struct log_line *line, struct lines *lines, const struct wait_request *wait,
                 const struct wait_result *result, const struct rule *rule);

/* Says that rows of a store that was waited for are in its -wal alone. line: where to build it. */
void tell_frames(struct log_line *line, const struct wait_request *wait, long frames);

/* Writes why there was none. error: of helper_run, or ENOMEM. */
void tell_failure(const char *path, const struct rule *rule, int error);

/* Writes that SIGINT or SIGTERM ended one. */
void tell_interrupted(const char *path, const struct rule *rule, uint64_t elapsed);

/* Writes why a wait was given up, and that later ones are as short. outlasted: its holder outlasted
 * one before; else it waits itself for this process. */
void tell_given_up(const struct wait_request *wait, const struct wait_result *result,
                   bool outlasted);

/* Writes that waits in vain have used up what they may. delay: ns, of those that follow. */
void tell_waits_in_vain(uint64_t delay);

/* Says once that a connection's descriptors were "opened" or "closed" unseen. */
void tell_past(const char *what);

/* Says once that a descriptor of a store's file was closed unseen. */
void tell_missed(const char *path);

/* Says once that the budget is spent; after each wait that may have spent it. */
void tell_end_of_budget(void);

#endif
