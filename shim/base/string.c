/* libc's functions that search a string, for the library alone, and the one that moves, which few
 * call: each that it imports instead costs the start of every process 600 instructions, since the
 * loader looks its name up. Those that copy, fill and measure stay libc's: they are faster there,
 * and compilers call them unasked.
 *
 * Hidden, so that nobody outside sees them. Compiled without builtins (shim/build.mk), or a loop
 * here may become a call of the very function that it is in; and not at link time, since compilers
 * call some of these unasked when the linker has already dropped them. The names stand in
 * parentheses, as some of them are macros in glibc since 2.43 (_Generic, for C23's const results).
 */
#include "base/sys.h"

#include <stdint.h>
#include <string.h>

static char *found(const char *at)
{
    return (char *)(uintptr_t)at; /* as writable as the caller's string is */
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
