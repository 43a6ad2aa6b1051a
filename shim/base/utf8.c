#include "base/utf8.h"

unsigned utf8_decode(const char *s, uint32_t *c)
{
    /* Of a character of so many bytes; a smaller one in as many is not well-formed. */
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *byte = (const unsigned char *)s;
    unsigned length = 1;
    *c = byte[0];
    if (*c < 0x80)
        return length;
    if (*c < 0xc0 || *c >= 0xf8)
        return 0;
    length = *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : 4;
    *c &= 0x7fu >> length;
    for (unsigned i = 1; i < length; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
        *c = *c << 6 | (byte[i] & 0x3f);
    }
    const int surrogate = *c >= 0xd800 && *c < 0xe000;
    return surrogate || *c < least[length] || *c > 0x10ffff ? 0 : length;
}
