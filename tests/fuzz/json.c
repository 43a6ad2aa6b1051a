/* JSON of any bytes: well-formed, on one line, and what went in can be had back. */
#include "base/json.h"

#include "fuzz.h"

static unsigned hex(const char *at)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = strchr(digits, at[i]);
        CHECK(at[i] != '\0' && digit != NULL);
        value = value * 16 + (unsigned)(digit - digits);
    }
    return value;
}

/* Reads a string back, as Python's surrogateescape does; returns what is behind it. */
static const char *read_string(const char *at, char *out)
{
    CHECK(*at++ == '"');
    while (*at != '"') {
        size_t length = shown_length((const unsigned char *)at);
        bool c1 = at[0] == '\xc2' && (at[1] & 0xe0) == 0x80; /* a character like any other here */
        CHECK(length > 0 || c1);
        length = c1 ? 2 : length;
        if (*at != '\\') {
            memcpy(out, at, length);
            out += length;
            at += length;
        } else if (at[1] == 'u') {
            unsigned value = hex(at + 2);
            CHECK(value < 0x20 || value == 0x7f || (value >= 0xdc80 && value <= 0xdcff));
            *out++ = (char)(value & 0xff);
            at += 6;
        } else {
            CHECK(at[1] == '"' || at[1] == '\\');
            *out++ = at[1];
            at += 2;
        }
    }
    *out = '\0';
    return at + 1;
}

static const char *skip(const char *at, const char *expected)
{
    CHECK(begins_with(at, expected));
    return at + strlen(expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char buffer[262144];
    static char read[sizeof buffer];
    struct input in = {data, data + size};
    uint64_t number = 0;
    char *key = take_line(&in);
    char *value = take_line(&in);
    char *item = take_line(&in);
    memcpy(&number, item, strnlen(item, sizeof number));

    struct text t = text_in(buffer, sizeof buffer);
    struct json j = json_begin(&t);
    json_str(&j, key, value);
    json_list(&j, "list");
    json_str(&j, NULL, item);
    json_int(&j, NULL, (long)number);
    json_end(&j, ']');
    json_seconds(&j, "took", number / 8);
    json_end(&j, '}');
    CHECK(t.length == strlen(buffer) && strchr(buffer, '\n') == NULL);

    char numbers[128];
    snprintf(numbers, sizeof numbers, ",%ld],\"took\":%llu.%09llu}", (long)number,
             (unsigned long long)(number / 8 / 1000000000),
             (unsigned long long)(number / 8 % 1000000000));
    const char *at = read_string(skip(buffer, "{"), read);
    CHECK(str_equal(read, key));
    at = read_string(skip(at, ":"), read);
    CHECK(str_equal(read, value));
    at = read_string(skip(at, ",\"list\":["), read);
    CHECK(str_equal(read, item));
    CHECK(str_equal(at, numbers));
    free(key);
    free(value);
    free(item);
    return 0;
}
