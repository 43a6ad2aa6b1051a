#include "base/status.h"

#include "base/lines.h"
#include "base/text.h"

static long last_number(char *line)
{
    long number = -1;
    for (const char *field; (field = next_field(&line)) != NULL;)
        number = text_number(field);
    return number;
}

bool status_read(const char *path, const char *const *names, long *values, unsigned count)
{
    struct lines lines;
    char *line;
    unsigned missing = count;
    for (unsigned i = 0; i < count; i++)
        values[i] = -1;
    if (lines_open(&lines, path) < 0)
        return false;
    bool any = false;
    while (missing > 0 && (line = lines_next(&lines)) != NULL) {
        const char *key = next_field(&line);
        any = true;
        for (unsigned i = 0; key != NULL && i < count; i++)
            if (str_equal(key, names[i])) {
                values[i] = last_number(line);
                missing--;
                break;
            }
    }
    lines_close(&lines);
    return any;
}
