/* starts COUNT PROGRAM PRELOAD...: starts PROGRAM COUNT times with each PRELOAD as LD_PRELOAD ("-":
 * none), taking turns, and prints for each the median and the quartiles of the time until it has
 * ended, in nanoseconds. Taking turns, all of them meet the same machine. */
#include "samples.h"

#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool start(char *program, uint64_t *took)
{
    char *argv[] = {program, NULL};
    pid_t pid;
    int status;
    uint64_t began = now();
    if (posix_spawn(&pid, program, NULL, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) < 0)
        return false;
    *took = now() - began;
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
    uint64_t *took = calloc(count * variants, sizeof *took);
    if (took == NULL)
        return 1;
    for (size_t i = 0; i < count * variants; i++) {
        const char *preload = argv[3 + i % variants];
        if (strcmp(preload, "-") == 0)
            unsetenv("LD_PRELOAD");
        else
            setenv("LD_PRELOAD", preload, 1);
        if (!start(argv[2], &took[i % variants * count + i / variants]))
            return 1;
    }
    for (size_t v = 0; v < variants; v++) {
        uint64_t *own = took + v * count;
        samples_sort(own, count);
        printf("%lu %lu %lu\n", samples_at(own, count, 0.5), samples_at(own, count, 0.25),
               samples_at(own, count, 0.75));
    }
    free(took);
    return 0;
}
