/* What a process's entry in /proc tells: its descriptors, their locks, its mappings. Within this
 * room. */
#ifndef SETTLE_PROCESSES_H
#define SETTLE_PROCESSES_H

#include "holders/search.h"

/* Adds what the process has of the files. False if that is not permitted, or there is no time left.
 */
bool processes_look_into(struct search *s, int pid);

#endif
