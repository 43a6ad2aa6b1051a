/* libc's functions for strings and memory, for the library alone. Each that it imports instead
 * costs the start of every process 600 instructions, since the loader looks its name up; and in a
 * program with a sanitizer they are the sanitizer's, which knows nothing of how this library is in
 * order: of memory that one thread after the other takes (scratch.c) ThreadSanitizer told a data
 * race, and the program ended with its status, 66.
 *
 * Hidden, so that nobody outside sees them. Compiled without builtins (shim/build.mk), or a loop
 * here may become a call of the very function that it is in, for which those that copy and fill
 * have a barrier as well; and not at link time, since compilers call some of these unasked when the
 * linker has already dropped them. The names stand in parentheses, as some of them are macros in
 * glibc since 2.43 (_Generic, for C23's const results).
 */
#include "base/path_ending.h"
#include "base/sys.h"

#include <stdint.h>
#include <string.h>

static char *found(const char *at)
{
    return (char *)(uintptr_t)at; /* as writable as the caller's string is */
}

/* At any address, of anything. */
typedef uint8_t __attribute__((vector_size(16), may_alias, aligned(1))) block;
typedef uint64_t __attribute__((may_alias, aligned(1))) word;

#define NO_CALL_INSTEAD(variable) __asm__("" : "+r"(variable))

/* The last block covers some of the one before where they do not come out even. */
SYS_AT_START void *(memcpy)(void *restrict to, const void *restrict from, size_t size)
{
    char *out = to;
    const char *in = from;
    if (size >= sizeof(block)) {
        const char *in_end = in + size - sizeof(block);
        char *last = out + size - sizeof(block);
        const block end = *(const block *)(const void *)in_end;
        while (in < in_end) {
            *(block *)(void *)out = *(const block *)(const void *)in;
            out += sizeof(block);
            in += sizeof(block);
            NO_CALL_INSTEAD(in);
        }
        *(block *)(void *)last = end;
        return to;
    }
    if (size >= sizeof(word)) {
        const word end = *(const word *)(const void *)(in + size - sizeof(word));
        *(word *)(void *)out = *(const word *)(const void *)in;
        *(word *)(void *)(out + size - sizeof(word)) = end;
        return to;
    }
    for (; size > 0; size--) {
        *out++ = *in++;
        NO_CALL_INSTEAD(in);
    }
    return to;
}

SYS_AT_START void *(memset)(void *memory, int byte, size_t size)
{
    const uint8_t b = (uint8_t)byte;
    const block bytes = {b, b, b, b, b, b, b, b, b, b, b, b, b, b, b, b};
    char *at = memory;
    char *end = at + size;
    if (size >= sizeof(block)) {
        for (; at < end - sizeof(block); at += sizeof(block)) {
            *(block *)(void *)at = bytes;
            NO_CALL_INSTEAD(at);
        }
        *(block *)(void *)(end - sizeof(block)) = bytes;
        return memory;
    }
    for (; at < end; at++) {
        *at = (char)byte;
        NO_CALL_INSTEAD(at);
    }
    return memory;
}

/* By aligned blocks, which lie in one page each, as in base/path_ending.h. */
SYS_AT_START size_t(strlen)(const char *s)
{
#ifdef PATH_ENDING_BY_STRLEN
    const char *at = s;
    while (*at != '\0') {
        at++;
        NO_CALL_INSTEAD(at);
    }
    return (size_t)(at - s);
#else
    const ptrdiff_t length = sizeof(__m128i); /* of a block */
    const unsigned before = (uintptr_t)s % sizeof(__m128i);
    const char *at = s - before;
    __m128i none = _mm_setzero_si128();
    uint64_t found = path_zeros(at, &none) >> before;
    if (__builtin_expect(found != 0, 1))
        return (size_t)(path_first(s, found) - s);
    none = _mm_setzero_si128();
    for (;; at += 4 * length) {
        if ((found = path_zeros(at + length, &none)) != 0)
            return (size_t)(path_first(at + length, found) - s);
        if ((found = path_zeros(at + 2 * length, &none)) != 0)
            return (size_t)(path_first(at + 2 * length, found) - s);
        if ((found = path_zeros(at + 3 * length, &none)) != 0)
            return (size_t)(path_first(at + 3 * length, found) - s);
        if ((found = path_zeros(at + 4 * length, &none)) != 0)
            return (size_t)(path_first(at + 4 * length, found) - s);
    }
#endif
}

int(memcmp)(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;
    for (; size > 0; size--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

/* What compilers make of a memcmp that only asks for the same. */
int(bcmp)(const void *a, const void *b, size_t size)
{
    return memcmp(a, b, size);
}

void *(memmove)(void *to, const void *from, size_t size)
{
    char *out = to;
    const char *in = from;
    if ((uintptr_t)out <= (uintptr_t)in)
        for (size_t i = 0; i < size; i++)
            out[i] = in[i];
    else
        while (size-- > 0)
            out[size] = in[size];
    return to;
}

void *(memchr)(const void *memory, int byte, size_t size)
{
    const char *at = memory;
    for (; size > 0; size--, at++)
        if (*at == (char)byte)
            return found(at);
    return NULL;
}

char *(strchr)(const char *s, int c)
{
    for (; *s != (char)c; s++)
        if (*s == '\0')
            return NULL;
    return found(s);
}

/* From the end on, since what we look for is a path's last slash. */
char *(strrchr)(const char *s, int c)
{
    for (const char *at = s + strlen(s);; at--) {
        if (*at == (char)c)
            return found(at);
        if (at == s)
            return NULL;
    }
}

static int difference(const char *a, const char *b)
{
    return (unsigned char)*a - (unsigned char)*b;
}

int(strcmp)(const char *a, const char *b)
{
    for (; *a != '\0' && *a == *b; a++)
        b++;
    return difference(a, b);
}

SYS_AT_START int(strncmp)(const char *a, const char *b, size_t most)
{
    for (; most > 0 && *a != '\0' && *a == *b; most--, a++)
        b++;
    return most > 0 ? difference(a, b) : 0;
}

size_t(strspn)(const char *s, const char *set)
{
    size_t length = 0;
    while (s[length] != '\0' && strchr(set, s[length]) != NULL)
        length++;
    return length;
}

SYS_AT_START size_t(strcspn)(const char *s, const char *set)
{
    size_t length = 0;
    while (strchr(set, s[length]) == NULL) /* it finds the end, too */
        length++;
    return length;
}
