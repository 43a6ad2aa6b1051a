/* settle-wait's command line. */
#ifndef SETTLE_WAIT_OPTIONS_H
#define SETTLE_WAIT_OPTIONS_H

#include "commands/copy.h"
#include "commands/target.h"
#include "config/settings.h"

#include <stdbool.h>

/* What it asks for. */
struct wait_options {
    struct settings settings; /* of options, and of the variables where they are asked for */
    bool until_given;
    bool level_fixed; /* no rule changes it */
    bool list;
    bool checkpoint;
    struct copy_request copy;
    bool environment;
    bool json;
};

/* Reads the options, and the rules where they are asked for (config/rules.h); complains on standard
 * error. Returns the index of the first path; or 0, and *status is how to end. */
int wait_options_read(struct wait_options *o, int argc, char **argv, enum status *status);

#endif
