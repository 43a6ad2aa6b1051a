/* settle-wait's waiting: in a child, while the parent shows how it goes and minds the signals. */
#ifndef SETTLE_ATTEND_H
#define SETTLE_ATTEND_H

#include "commands/target.h"

/* Waits for all targets that have been located, for each until its deadline. On a terminal a line
 * on standard error tells what is waited for. Ends the process by SIGINT, SIGTERM or SIGHUP, with
 * that line erased. */
void attend(struct target *targets, unsigned n);

#endif
