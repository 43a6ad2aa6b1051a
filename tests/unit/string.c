/* The library's own functions that search strings, beside libc's. */
#include "unit.h"

#include <string.h>

/* Under other names, so that they do not take the place of libc's in this program. */
#define memmove own_memmove
#define memchr  own_memchr
#define strchr  own_strchr
#define strrchr own_strrchr
#define strcmp  own_strcmp
#define strncmp own_strncmp
#define strspn  own_strspn
#define strcspn own_strcspn
void *memmove(void *to, const void *from, size_t size);
void *memchr(const void *memory, int byte, size_t size);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t most);
size_t strspn(const char *s, const char *set);
size_t strcspn(const char *s, const char *set);
#include "base/string.c"
#undef memmove
#undef memchr
#undef strchr
#undef strrchr
#undef strcmp
#undef strncmp
#undef strspn
#undef strcspn

TestSuite(string, .timeout = 10);

static const char *const strings[] = {
    "",       "a",      "b",         "ab",    "ba",           "aa",
    "abc",    "/a/b/c", "a\xe4",     "a\x7f", "\xff\x80\x01", "SETTLE_",
    "SETTLE", " \t x",  "x=y:z; =w", "a b"};
enum { STRINGS = sizeof strings / sizeof strings[0] };

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

Test(string, two_strings_compare_as_libc_compares_them)
{
    for (size_t i = 0; i < STRINGS; i++)
        for (size_t k = 0; k < STRINGS; k++) {
            const char *a = strings[i], *b = strings[k];
            cr_expect_eq(sign(own_strcmp(a, b)), sign(strcmp(a, b)), "'%s' '%s'", a, b);
            for (size_t most = 0; most < 9; most++)
                cr_expect_eq(sign(own_strncmp(a, b, most)), sign(strncmp(a, b, most)),
                             "'%s' '%s' %zu", a, b, most);
        }
}

Test(string, what_is_moved_may_overlap)
{
    for (size_t from = 0; from < 8; from++)
        for (size_t to = 0; to < 8; to++)
            for (size_t size = 0; size < 8; size++) {
                char own[] = "0123456789abcdef", libcs[] = "0123456789abcdef";
                cr_expect_eq(own_memmove(own + to, own + from, size), own + to);
                memmove(libcs + to, libcs + from, size);
                cr_expect_str_eq(own, libcs, "%zu bytes from %zu to %zu", size, from, to);
            }
}

Test(string, spans_are_as_long_as_libc_says)
{
    for (size_t i = 0; i < STRINGS; i++)
        for (size_t k = 0; k < STRINGS; k++) {
            const char *s = strings[i], *set = strings[k];
            cr_expect_eq(own_strspn(s, set), strspn(s, set), "'%s' '%s'", s, set);
            cr_expect_eq(own_strcspn(s, set), strcspn(s, set), "'%s' '%s'", s, set);
        }
}

/* An int outside of a char's values is taken for the char that it becomes. */
Test(string, every_byte_is_found_where_libc_finds_it)
{
    for (size_t i = 0; i < STRINGS; i++)
        for (int c = -128; c < 256; c++) {
            const char *s = strings[i];
            cr_expect_eq(own_strchr(s, c), strchr(s, c), "'%s' %d", s, c);
            cr_expect_eq(own_strrchr(s, c), strrchr(s, c), "'%s' %d", s, c);
            for (size_t size = 0; size <= strlen(s) + 1; size++)
                cr_expect_eq(own_memchr(s, c, size), memchr(s, c, size), "'%s' %d %zu", s, c, size);
        }
}
