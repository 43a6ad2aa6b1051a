/* The wait at exit (track_exit). */
#ifndef SETTLE_EXIT_H
#define SETTLE_EXIT_H

#include "config/settings.h"

/* settings must outlive the program. */
void exit_start(const struct settings *settings);

#endif
