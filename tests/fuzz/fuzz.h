/* What the fuzz targets share: inputs as lines of text, and checks.
 *
 * A target is a program of libFuzzer's: it turns any bytes into what a parser could get, calls the
 * parser, and checks what holds for every input. AddressSanitizer and UBSan watch; so every string
 * lies in memory of exactly its size. To reach functions that a module keeps to itself, a target
 * may include the module's source, with the system calls it makes replaced by macros.
 */
#ifndef SETTLE_FUZZ_H
#define SETTLE_FUZZ_H

#include "base/text.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(right)                                                                               \
    do {                                                                                           \
        if (!(right)) {                                                                            \
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__, #right);      \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The input, from which lines are taken. */
struct input {
    const uint8_t *at;
    const uint8_t *end;
};

static inline bool has_more(const struct input *in)
{
    return in->at < in->end;
}

/* The next byte; 0 at the end. */
static inline unsigned take_byte(struct input *in)
{
    return has_more(in) ? *in->at++ : 0;
}

/* What a byte of an input stands for, where that is more than itself. */
static inline const char *meaning_of(uint8_t byte)
{
    return byte == 1 ? "xxxxxxxxxxxxxxxx" : byte == 2 ? "/ddddddddddddddd" : NULL;
}

/* The input up to the next `end`, as far as it is a string, in memory of its own. A long value is
 * out of a fuzzer's reach, so a byte of 1 stands for many letters, and one of 2 for many
 * directories. */
static inline char *take_text(struct input *in, uint8_t end)
{
    enum { REPEATED = 120, LONG_MOST = 10 };
    size_t left = (size_t)(in->end - in->at);
    const uint8_t *found = has_more(in) ? memchr(in->at, end, left) : NULL;
    const uint8_t *stop = found == NULL ? in->end : found;
    char *text = malloc(left + 1 + LONG_MOST * REPEATED * 16);
    char *to = text;
    int expanded = 0;
    for (const uint8_t *at = in->at; at < stop && *at != '\0'; at++) {
        const char *meaning = meaning_of(*at);
        if (meaning == NULL || expanded++ >= LONG_MOST)
            *to++ = (char)*at;
        else
            for (int i = 0; i < REPEATED; i++)
                to = stpcpy(to, meaning);
    }
    *to = '\0';
    in->at = found == NULL ? in->end : found + 1;
    return realloc(text, (size_t)(to - text) + 1);
}

static inline char *take_line(struct input *in)
{
    return take_text(in, '\n');
}

/* The length of the character that s begins with, if it is one that a line of a log may have: in
 * UTF-8, and no control character; 0 otherwise. (RFC 3629, section 4) */
static inline size_t shown_length(const unsigned char *s)
{
    static const struct {
        unsigned char from, to;       /* the first byte */
        unsigned char least, highest; /* the second */
        size_t length;
    } rows[] = {
        {0xc2, 0xc2, 0xa0, 0xbf, 2}, {0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (s[0] < rows[i].from || s[0] > rows[i].to)
            continue;
        if (s[1] < rows[i].least || s[1] > rows[i].highest)
            return 0;
        for (size_t k = 2; k < rows[i].length; k++)
            if (s[k] < 0x80 || s[k] > 0xbf)
                return 0;
        return rows[i].length;
    }
    return 0;
}

/* True if all of a string can be shown on one line of a terminal. */
static inline bool is_shown(const char *s)
{
    const unsigned char *at = (const unsigned char *)s;
    while (*at != '\0') {
        size_t length = shown_length(at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

static inline bool begins_with(const char *s, const char *beginning)
{
    return strncmp(s, beginning, strlen(beginning)) == 0;
}

#endif
