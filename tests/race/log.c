/* The log under many threads: whole lines, and one complaint about a file that cannot be written.
 */
#include "helper/log.h"

#include "race.h"

#include <string.h>
#include <unistd.h>

enum { LINES = 100 };

static char path[] = "/tmp/settle-race-XXXXXX";

static void *say(void *unused)
{
    for (int i = 0; i < LINES; i++)
        log_say(LOG_WARN, "a line with a beginning and an end.");
    return unused;
}

/* Counts the lines of the file that end so; all lines begin as those of the log do. */
static int lines_ending_in(const char *end)
{
    char line[LOG_LINE_SIZE];
    int count = 0;
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        CHECK(strncmp(line, "settle[", 7) == 0);
        count += str_ends_with(line, end);
    }
    fclose(file);
    return count;
}

int main(void)
{
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    log_start(LOG_WARN, path);
    race(say);
    CHECK(lines_ending_in(" an end.\n") == RACERS * LINES);

    CHECK(ftruncate(fd, 0) == 0 && fcntl(fd, F_SETFL, O_APPEND) == 0);
    int own_stderr = dup(2);
    CHECK(dup2(fd, 2) == 2);
    log_start(LOG_WARN, "/nonexistent/log");
    race(say);
    CHECK(dup2(own_stderr, 2) == 2);
    CHECK(lines_ending_in(" an end.\n") == RACERS * LINES);
    CHECK(lines_ending_in("warnings go to standard error\n") == 1);
    return unlink(path) == 0 ? 0 : 1;
}
