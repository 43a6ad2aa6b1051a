/* What a path ends with, asked of every open and rename. A call of strlen has more instructions
 * than all else that a hook does, so the end is looked for here, 16 bytes at a time.
 *
 * Each 16 are aligned, so they lie in one page, and are read whole: what stands before the path, or
 * behind its end, counts for nothing. Valgrind knows such reads; AddressSanitizer and
 * ThreadSanitizer do not. */
#ifndef SETTLE_PATH_ENDING_H
#define SETTLE_PATH_ENDING_H

#include <stdint.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PATH_ENDING_BY_STRLEN
#endif
#endif
#if !defined(__SSE2__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PATH_ENDING_BY_STRLEN
#endif

/* The last bytes of a path, four or two, the first of them the lowest; before a shorter path stand
 * slashes. */
static inline __attribute__((always_inline)) uint32_t path_ending(const char *path);
static inline __attribute__((always_inline)) uint16_t path_last_two(const char *path);

/* What is before a place: `size` bytes. */
static inline __attribute__((always_inline)) uint32_t path_before(const char *end, size_t size)
{
    uint32_t four;
    uint16_t two;
    if (size == sizeof two)
        return memcpy(&two, end - sizeof two, sizeof two), two;
    return memcpy(&four, end - sizeof four, sizeof four), four;
}

/* The same of a path that may be shorter. */
static inline uint32_t path_before_near(const char *path, const char *end, size_t size)
{
    uint32_t ending = '/' | '/' << 8 | '/' << 16 | '/' << 24;
    if ((size_t)(end - path) >= size)
        return path_before(end, size);
    for (; path < end; path++)
        ending = ending >> 8 | (uint32_t)(unsigned char)*path << 24;
    return ending >> 8 * (sizeof ending - size);
}

#ifdef PATH_ENDING_BY_STRLEN
static inline __attribute__((always_inline)) uint32_t path_bytes(const char *path, size_t size)
{
    return path_before_near(path, path + strlen(path), size);
}
#else
#include <emmintrin.h>

/* The zeros of 16 bytes, a bit each. none: 16 zeros, and so the result as long as nothing is found.
 * In assembly, since compilers copy `none` first. */
static inline __attribute__((always_inline)) uint64_t path_zeros(const char *block, __m128i *none)
{
    uint64_t found;
    __asm__("pcmpeqb %2, %1\n\tpmovmskb %1, %k0"
            : "=r"(found), "+x"(*none)
            : "m"(*(const __m128i *)(const void *)block));
    return found;
}

/* Where the first of them is; compilers make an int of __builtin_ctz first. */
static inline __attribute__((always_inline)) const char *path_first(const char *block,
                                                                    uint64_t found)
{
    uint64_t index;
    __asm__("bsf %1, %0" : "=r"(index) : "r"(found) : "cc");
    return block + index;
}

static inline __attribute__((always_inline)) uint32_t path_bytes(const char *path, size_t size)
{
    enum { BLOCK = sizeof(__m128i) };
    const unsigned before = (uintptr_t)path % BLOCK;
    const char *block = path - before;
    __m128i none = _mm_setzero_si128();
    uint64_t found = path_zeros(block, &none) >> before;
    if (__builtin_expect(found != 0, 0))
        return path_before_near(path, path_first(path, found), size);
    none = _mm_setzero_si128();
    if (__builtin_expect((found = path_zeros(block + BLOCK, &none)) != 0, 0))
        return path_before_near(path, path_first(block + BLOCK, found), size);
    if (__builtin_expect((found = path_zeros(block + 2 * BLOCK, &none)) != 0, 1))
        return path_before(path_first(block + 2 * BLOCK, found), size);
    for (block += 3 * BLOCK; (found = path_zeros(block, &none)) == 0;)
        block += BLOCK;
    return path_before(path_first(block, found), size);
}
#endif

static inline __attribute__((always_inline)) uint32_t path_ending(const char *path)
{
    return path_bytes(path, sizeof(uint32_t));
}

static inline __attribute__((always_inline)) uint16_t path_last_two(const char *path)
{
    return (uint16_t)path_bytes(path, sizeof(uint16_t));
}

#endif
