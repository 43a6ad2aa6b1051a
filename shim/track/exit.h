/* The wait at exit (track_exit). */
#ifndef SETTLE_EXIT_H
#define SETTLE_EXIT_H

#include "config/settings.h"

/* settings must outlive the program. */
void exit_start(const struct settings *settings);

/* What track_exit does; other_threads: whether the program whose books these are has any. */
void exit_wait_and_tell(bool other_threads(void));

#endif
