#include "base/status.h"

#include "base/lines.h"
#include "base/scratch.h"
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
    struct lines *lines = scratch_take();
    char *line;
    unsigned missing = count;
    for (unsigned i = 0; i < count; i++)
        values[i] = -1;
    bool any = false;
    bool is_open = lines != NULL && lines_open(lines, path) >= 0;
    while (is_open && missing > 0 && (line = lines_next(lines)) != NULL) {
        const char *key = next_field(&line);
        any = true;
        for (unsigned i = 0; key != NULL && i < count; i++)
            if (str_equal(key, names[i])) {
                values[i] = last_number(line);
                missing--;
                break;
            }
    }
    if (is_open)
        lines_close(lines);
    scratch_give(lines);
    return any;
}
