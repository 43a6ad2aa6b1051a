/* What the launcher is given to run: prints its pid, then how many of the settings in its
 * environment the library refuses, then those settings, each ended by a zero. */
#include "config/settings.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static unsigned refused;

static void count(const char *message)
{
    (void)message;
    refused++;
}

int main(void)
{
    static struct settings settings;
    settings_set_defaults(&settings);
    settings_read(&settings, environ, count);
    printf("%d%c%u%c", (int)getpid(), '\0', refused, '\0');
    for (char **entry = environ; *entry != NULL; entry++)
        if (strncmp(*entry, "SETTLE_", 7) == 0)
            fwrite(*entry, 1, strlen(*entry) + 1, stdout);
    return 0;
}
