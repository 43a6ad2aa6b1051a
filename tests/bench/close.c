/* close PATH COUNT: opens and closes a file COUNT times; prints the median and the 99th percentile
 * of both, in microseconds. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
    size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (count == 0)
        return 2;
    double *opens = calloc(count, sizeof *opens);
    double *closes = calloc(count, sizeof *closes);
    if (opens == NULL || closes == NULL)
        return 1;
    for (size_t i = 0; i < count; i++) {
        double began = now();
        int fd = open(argv[1], O_RDWR | O_CREAT, 0644);
        double opened = now();
        if (fd < 0)
            return 1;
        close(fd);
        opens[i] = opened - began;
        closes[i] = now() - opened;
    }
    qsort(opens, count, sizeof *opens, ascending);
    qsort(closes, count, sizeof *closes, ascending);
    printf("open %8.2f %8.2f   close %8.2f %8.2f\n", opens[count / 2], opens[count * 99 / 100],
           closes[count / 2], closes[count * 99 / 100]);
    free(opens);
    free(closes);
    return 0;
}
