/* Building lines of text: bounded and terminated whatever goes in; a path can be shown on one line.
 */
#include "base/text.h"

#include "fuzz.h"

#include <errno.h>

static void append(struct text *t, struct input *in)
{
    unsigned kind = take_byte(in);
    char *line = take_line(in);
    char expected[64];
    uint64_t number = 0;
    memcpy(&number, line, strnlen(line, sizeof number));
    const char *appended = t->data + t->length;
    bool room = t->size - t->length > sizeof expected;

    switch (kind % 6) {
    case 0:
        text_str(t, line);
        CHECK(begins_with(line, appended));
        break;
    case 1:
        text_bytes(t, line, strlen(line) / 2);
        CHECK(begins_with(line, appended) && strlen(appended) <= strlen(line) / 2);
        break;
    case 2:
        text_int(t, (long)number);
        snprintf(expected, sizeof expected, "%ld", (long)number);
        CHECK(room ? str_equal(appended, expected) : begins_with(expected, appended));
        break;
    case 3:
        text_seconds(t, number);
        if (number < 1000000)
            snprintf(expected, sizeof expected, "%u us", (unsigned)(number / 1000));
        else
            snprintf(expected, sizeof expected, "%llu.%03u s",
                     (unsigned long long)(number / 1000000000),
                     (unsigned)(number / 1000000 % 1000));
        CHECK(room ? str_equal(appended, expected) : begins_with(expected, appended));
        break;
    case 4:
        text_error(t, (int)(number % 200));
        CHECK(is_shown(appended) && (!room || appended[0] == 'E' || appended[0] == 'e'));
        break;
    case 5:
        text_path(t, line);
        CHECK(is_shown(appended));
        CHECK(strlen(appended) <= strlen(line));
        CHECK(!is_shown(line) || begins_with(line, appended));
        CHECK(t->size - t->length <= 4 || !is_shown(line) || str_equal(line, appended));
        break;
    }
    free(line);
}

static void copy(struct input *in)
{
    char *line = take_line(in);
    size_t size = 1 + take_byte(in) % 32;
    char *out = malloc(size);
    memset(out, 'x', size);
    bool fits = strlen(line) < size;
    CHECK(str_copy(out, size, line) == fits);
    CHECK(str_equal(out, fits ? line : ""));
    CHECK(str_ends_with(line, out) && (strlen(line) < 2 || !str_ends_with(line + 1, line)));
    free(out);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    copy(&in);
    size_t room = 1 + 4 * take_byte(&in);
    char *buffer = malloc(room);
    struct text t = text_in(buffer, room);
    CHECK(buffer[0] == '\0');
    while (has_more(&in)) {
        size_t before = t.length;
        char *kept = strdup(buffer);
        append(&t, &in);
        CHECK(t.data == buffer && t.size == room && t.length < room && t.length >= before);
        CHECK(strlen(buffer) == t.length && begins_with(buffer, kept));
        free(kept);
    }
    free(buffer);
    return 0;
}
