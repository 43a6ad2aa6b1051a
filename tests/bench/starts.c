/* starts COUNT PROGRAM PRELOAD...: starts PROGRAM COUNT times with each PRELOAD as LD_PRELOAD ("-":
 * none), taking turns, and prints for each the median and the quartiles of the time until it has
 * ended, in nanoseconds, then the medians of the processor time that it took, in nanoseconds, and
 * of its page faults. Taking turns, all of them meet the same machine; the processor time tells
 * them apart where others want it, too. */
#include "samples.h"

#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { TIME, PROCESSOR, FAULTS, FIGURES };

static uint64_t ns_of(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000;
}

static bool start(char *program, uint64_t figures[FIGURES])
{
    char *argv[] = {program, NULL};
    struct rusage usage;
    pid_t pid;
    int status;
    uint64_t began = now();
    if (posix_spawn(&pid, program, NULL, NULL, argv, environ) != 0 ||
        wait4(pid, &status, 0, &usage) < 0)
        return false;
    figures[TIME] = now() - began;
    figures[PROCESSOR] = ns_of(usage.ru_utime) + ns_of(usage.ru_stime);
    figures[FAULTS] = (uint64_t)usage.ru_minflt;
    return status == 0;
}

int main(int argc, char **argv)
{
    size_t count = argc > 3 ? strtoul(argv[1], NULL, 10) : 0;
    if (count == 0) {
        fprintf(stderr, "starts: expected COUNT PROGRAM PRELOAD...\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const size_t variants = (size_t)argc - 3;
    /* of each figure, of each variant, COUNT of them */
    uint64_t *all = calloc(FIGURES * count * variants, sizeof *all);
    if (all == NULL)
        return 1;
    for (size_t i = 0; i < count * variants; i++) {
        const char *preload = argv[3 + i % variants];
        if (strcmp(preload, "-") == 0)
            unsetenv("LD_PRELOAD");
        else
            setenv("LD_PRELOAD", preload, 1);
        uint64_t figures[FIGURES];
        if (!start(argv[2], figures))
            return 1;
        for (size_t f = 0; f < FIGURES; f++)
            all[(f * variants + i % variants) * count + i / variants] = figures[f];
    }
    for (size_t v = 0; v < variants; v++) {
        uint64_t *own[FIGURES];
        for (size_t f = 0; f < FIGURES; f++)
            samples_sort(own[f] = all + (f * variants + v) * count, count);
        printf("%lu %lu %lu %lu %lu\n", samples_at(own[TIME], count, 0.5),
               samples_at(own[TIME], count, 0.25), samples_at(own[TIME], count, 0.75),
               samples_at(own[PROCESSOR], count, 0.5), samples_at(own[FAULTS], count, 0.5));
    }
    free(all);
    return 0;
}
