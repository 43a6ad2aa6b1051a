/* calls WHAT COUNT FILE [BATCH]: makes one kind of call on a file COUNT times and prints the
 * nanoseconds of one: the median of those of BATCH calls each, so that most batches meet nobody
 * else who wants the processor. Without BATCH the clock is read for all together. What undoes the
 * call (the close of an open) is a raw system call, past every preloaded library: so only the one
 * call differs between libraries, and under callgrind the instructions of 2 N calls less those of N
 * are those of N calls, without the start of the process. */
#include "base/sys.h"
#include "samples.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* At the same place in each run: how many steps libc's strlen takes for it changes with that, by
 * some instructions. */
static _Alignas(64) char path[4096];

static bool call_open(void)
{
    int fd = open(path, O_RDONLY);
    return fd >= 0 && sys_close(fd) == 0;
}

static bool call_close(void)
{
    int fd = sys_openat(AT_FDCWD, path, O_RDONLY, 0);
    return fd >= 0 && close(fd) == 0;
}

static bool call_fopen(void)
{
    FILE *stream = fopen(path, "r");
    return stream != NULL && fclose(stream) == 0;
}

static bool call_both(void)
{
    int fd = open(path, O_RDWR);
    return fd >= 0 && close(fd) == 0;
}

static const struct {
    const char *name;
    bool (*call)(void);
} table[] = {
    {"open", call_open},
    {"close", call_close},
    {"fopen", call_fopen},
    {"both", call_both},
};

int main(int argc, char **argv)
{
    const size_t count = argc >= 4 ? strtoul(argv[2], NULL, 10) : 0;
    const size_t batch = argc == 5 ? strtoul(argv[4], NULL, 10) : count;
    const size_t batches = batch > 0 ? count / batch : 0;
    uint64_t *took = calloc(batches + 1, sizeof *took);
    for (size_t i = 0; took != NULL && batches > 0 && i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(argv[1], table[i].name) != 0)
            continue;
        if (snprintf(path, sizeof path, "%s", argv[3]) >= (int)sizeof path)
            return 1;
        for (size_t b = 0; b < batches; b++) {
            uint64_t began = now();
            for (size_t n = 0; n < batch; n++)
                if (!table[i].call())
                    return 1;
            took[b] = now() - began;
        }
        samples_sort(took, batches);
        printf("%.1f\n", (double)samples_at(took, batches, 0.5) / (double)batch);
        free(took);
        return 0;
    }
    fprintf(stderr, "calls: expected open|close|fopen|both COUNT FILE [BATCH]\n");
    return 2;
}
