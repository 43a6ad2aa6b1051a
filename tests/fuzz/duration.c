/* Durations, against a slow reading of what settings.h says of them. */
#include "config/settings.h"

#include "fuzz.h"

#define DIGITS "0123456789"

static const uint64_t longest = 86400000000000;

/* The digits of s[0..length) and then zeros up to `wanted` digits, as a number; what is too large
 * for a duration in any unit is just that. */
static uint64_t number(const char *s, size_t length, size_t wanted)
{
    unsigned __int128 value = 0;
    for (size_t i = 0; i < wanted; i++) {
        value = value * 10 + (i < length ? (unsigned)(s[i] - '0') : 0);
        if (value > longest)
            return longest + 1;
    }
    return (uint64_t)value;
}

/* Digits, a point and digits, at least one of them, and a unit. */
static bool read_slowly(const char *s, uint64_t *ns)
{
    size_t whole = strspn(s, DIGITS);
    const char *fraction = s + whole + (s[whole] == '.');
    size_t decimals = s[whole] == '.' ? strspn(fraction, DIGITS) : 0;
    const char *unit = fraction + decimals;
    bool ms = str_equal(unit, "ms");
    if (whole + decimals == 0 || !(ms || *unit == '\0' || str_equal(unit, "s")))
        return false;
    size_t places = ms ? 6 : 9; /* to a nanosecond; what is finer is dropped */
    unsigned __int128 units = number(s, whole, whole);
    unsigned __int128 value = units * (ms ? 1000000 : 1000000000) +
                              number(fraction, decimals < places ? decimals : places, places);
    if (value > longest)
        return false;
    *ns = (uint64_t)value;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    const uint64_t untouched = 42;
    uint64_t expected = untouched;
    uint64_t ns = untouched;
    char *line = take_line(&in);
    bool taken = settings_duration(line, &ns);
    CHECK(taken == read_slowly(line, &expected));
    CHECK(ns == expected);
    CHECK(!taken || ns <= longest);
    free(line);
    return 0;
}
