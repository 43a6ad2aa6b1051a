/* What the measuring programs share: a clock, and what is said of many times. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

/* Nanoseconds; every process of a machine reads the same. */
static inline uint64_t now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline int samples_ascending(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

static inline void samples_sort(uint64_t *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, samples_ascending);
}

/* Of sorted ones; part from 0 to 1. */
static inline uint64_t samples_at(const uint64_t *samples, size_t count, double part)
{
    return samples[(size_t)((double)(count - 1) * part)];
}

#endif
