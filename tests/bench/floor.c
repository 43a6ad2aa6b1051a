/* floor COUNT: how long a helper takes that asks nothing: a thread with a descriptor table of its
 * own, made, waited for and gone. Below it no close can stay that looks for a flock, which shows
 * only to who tries for it by another descriptor. Prints the median and the 99th percentile of
 * COUNT, in ns. */
#include "helper/helper.h"
#include "samples.h"

#include <stdio.h>

static void nothing(void *request)
{
    (void)request;
}

static uint64_t once(void)
{
    const uint64_t patience = 10000000000;
    uint64_t began = now();
    struct helper *h = helper_new(1);
    if (h == NULL || helper_run(h, nothing, began + patience) != 0)
        exit(1);
    helper_free(h);
    return now() - began;
}

int main(int argc, char **argv)
{
    size_t count = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    uint64_t *samples = calloc(count + 1, sizeof *samples);
    if (count == 0 || samples == NULL)
        return 2;
    for (size_t i = 0; i < count; i++)
        samples[i] = once();
    samples_sort(samples, count);
    printf("%lu %lu\n", (unsigned long)samples_at(samples, count, 0.5),
           (unsigned long)samples_at(samples, count, 0.99));
    free(samples);
    return 0;
}
