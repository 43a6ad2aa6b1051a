/* The beginning: log, record and books, by the settings of an environment block. In this order, and
 * once in a process. The settings must outlive it. */
#ifndef SETTLE_BEGIN_H
#define SETTLE_BEGIN_H

#include "config/settings.h"

/* Says in the log, as a warning, which setting was refused (settings_complain). */
void begin_complain(const char *message);

/* The log comes first, since the reading of the settings has things to say. */
void begin_log(struct settings *settings, char *const *environment);

/* The settings have been read. */
void begin_record(struct settings *settings, char *const *environment);

/* Of a process that has no store yet. */
void begin_books(struct settings *settings);

/* Instead of all these, where SETTLE_DISABLE is set; the settings have been read. Says so if its
 * value reads as if it were not to be. */
void begin_disabled(struct settings *settings, char *const *environment);

#endif
