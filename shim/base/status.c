#include "base/status.h"

#include "base/scan.h"
#include "base/scratch.h"
#include "base/text.h"

static long last_number(char *line)
{
    long number = -1;
    for (const char *field; (field = scan_field(&line)) != NULL;)
        number = text_number(field);
    return number;
}

bool status_read(const char *path, const char *const *names, long *values, unsigned count)
{
    struct scan *lines = scratch_take();
    char *line;
    unsigned missing = count;
    for (unsigned i = 0; i < count; i++)
        values[i] = -1;
    bool any = false;
    bool is_open = lines != NULL && scan_open(lines, path) >= 0;
    while (is_open && missing > 0 && (line = scan_line(lines)) != NULL) {
        const char *key = scan_field(&line);
        any = true;
        for (unsigned i = 0; key != NULL && i < count; i++)
            if (str_equal(key, names[i])) {
                values[i] = last_number(line);
                missing--;
                break;
            }
    }
    if (is_open)
        scan_close(lines);
    scratch_give(lines);
    return any;
}
