/* The functions of settle.h. */
#ifndef SETTLE_API_H
#define SETTLE_API_H

#include "config/settings.h"

/* What they take where a program gives no number. Must outlive the program. */
void api_start(const struct settings *settings);

#endif
