/* Building a line of text in a fixed buffer: no stdio, no locale, no allocation, usable anywhere.
 */
#ifndef SETTLE_TEXT_H
#define SETTLE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A buffer that is being filled. Always NUL-terminated; what does not fit is dropped. */
struct text {
    char *data;
    size_t length;
    size_t size; /* > 0 */
};

struct text text_in(char *buffer, size_t size);
void text_str(struct text *t, const char *s);
void text_bytes(struct text *t, const char *s, size_t length);
void text_int(struct text *t, long value);

/* The number that a string begins with, without a sign; 0 if it begins with none. */
long text_number(const char *digits);

/* Seconds with three decimals (0.312 s); microseconds (41 us) where that would read 0.000 s. */
void text_seconds(struct text *t, uint64_t ns);

/* A path as UTF-8 that stays on one line: each byte of a control character, and each that is no
 * UTF-8, is shown as ?. What does not fit is dropped by whole characters. */
void text_path(struct text *t, const char *path);

/* A system error by its name (EACCES); a number where the name is not known here. error > 0. */
void text_error(struct text *t, int error);

bool str_equal(const char *a, const char *b);
bool str_ends_with(const char *s, const char *suffix);

/* Copies s into out; false, with out empty, if it does not fit. */
bool str_copy(char *out, size_t size, const char *s);

#endif
