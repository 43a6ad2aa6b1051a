/* UTF-8 (RFC 3629). */
#ifndef SETTLE_UTF8_H
#define SETTLE_UTF8_H

#include <stdint.h>

/* The length of the character that s begins with, which it writes to *c; 0 where that is no
 * well-formed UTF-8. s is NUL-terminated; a NUL is a character of length 1. */
unsigned utf8_decode(const char *s, uint32_t *c);

#endif
