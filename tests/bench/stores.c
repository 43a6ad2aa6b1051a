/* stores DIRECTORY STORES DESCRIPTORS THREADS BUSY COUNT [COLLECTIONS]: what the last close of a
 * store costs with nobody holding it, in a process that has STORES stores and DESCRIPTORS other
 * descriptors open, and THREADS threads. BUSY 0: one thread closes, the others sleep; 1: all close,
 * each a store of its own. Prints the median and the 99th percentile of the opens and of the
 * closes, and the time that all took, divided by the number of closes, in nanoseconds; and the
 * resident memory of the process with all of that open, in kB.
 *
 * A store is a directory sN with a chroma.sqlite3 in it; those that are closed have COLLECTIONS
 * directories with the files of an HNSW index. */
#include "samples.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *directory;
static size_t count;
static size_t collections;
static pthread_barrier_t all_there;
static pthread_mutex_t sleeping = PTHREAD_MUTEX_INITIALIZER;

struct worker {
    pthread_t thread;
    size_t store;
    bool closes;
    bool good;
    uint64_t *opens;
    uint64_t *closing;
};

enum { ROOM = 4096 };

static int make_store(char path[ROOM], size_t number)
{
    snprintf(path, ROOM, "%s/s%zu", directory, number);
    mkdir(path, 0700);
    snprintf(path, ROOM, "%s/s%zu/chroma.sqlite3", directory, number);
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static void make_index(size_t store, size_t number)
{
    static const char *const names[] = {"header.bin", "data_level0.bin", "length.bin",
                                        "link_lists.bin", "index_metadata.pickle"};
    char path[ROOM];
    const int length = snprintf(path, ROOM, "%s/s%zu/c%zu", directory, store, number);
    mkdir(path, 0700);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path + length, ROOM - (size_t)length, "/%s", names[i]);
        close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    }
}

static void *work(void *argument)
{
    struct worker *w = argument;
    char path[ROOM];
    if (w->closes)
        close(make_store(path, w->store));
    for (size_t i = 0; w->closes && i < collections; i++)
        make_index(w->store, i);
    pthread_barrier_wait(&all_there);
    if (!w->closes) {
        pthread_mutex_lock(&sleeping);
        pthread_mutex_unlock(&sleeping);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t began = now();
        int fd = open(path, O_RDWR | O_CLOEXEC);
        uint64_t opened = now();
        if (fd < 0 || close(fd) < 0)
            return NULL;
        w->closing[i] = now() - opened;
        w->opens[i] = opened - began;
    }
    w->good = true;
    return NULL;
}

static bool open_many(size_t stores, size_t descriptors)
{
    char path[ROOM];
    for (size_t i = 0; i < stores; i++)
        if (make_store(path, i) < 0)
            return false;
    int null = open("/dev/null", O_RDWR);
    for (size_t i = 1; i < descriptors; i++)
        if (dup(null) < 0)
            return false;
    return true;
}

/* Median and 99th percentile of what all threads that close have measured. */
static void print(const char *name, uint64_t *all, size_t n)
{
    samples_sort(all, n);
    printf("%s %lu %lu\n", name, samples_at(all, n, 0.5), samples_at(all, n, 0.99));
}

/* In kB: counted page by page, where /proc/self/status has an estimate. */
static size_t resident(void)
{
    static const char field[] = "Rss:";
    char line[256];
    size_t kb = 0;
    FILE *maps = fopen("/proc/self/smaps_rollup", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            kb = strtoul(line + strlen(field), NULL, 10);
    if (maps != NULL)
        fclose(maps);
    return kb;
}

int main(int argc, char **argv)
{
    size_t number[6] = {0};
    for (int i = 2; i < argc && i < 8; i++)
        number[i - 2] = strtoul(argv[i], NULL, 10);
    const size_t threads = number[2];
    const bool busy = number[3] != 0;
    count = number[4];
    collections = number[5];
    if (argc < 7 || argc > 8 || threads == 0 || count == 0) {
        fprintf(stderr,
                "stores: expected DIRECTORY STORES DESCRIPTORS THREADS BUSY COUNT [COLLECTIONS]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    directory = argv[1];
    const size_t closing = busy ? threads : 1;
    uint64_t *opens = calloc(closing * count, sizeof *opens);
    uint64_t *closes = calloc(closing * count, sizeof *closes);
    struct worker *workers = calloc(threads, sizeof *workers);
    if (opens == NULL || closes == NULL || workers == NULL ||
        !open_many(number[0] - 1, number[1])) {
        perror("stores");
        return 1;
    }
    const size_t memory = resident();
    pthread_barrier_init(&all_there, NULL, (unsigned)threads + 1);
    pthread_mutex_lock(&sleeping);
    for (size_t i = 0; i < threads; i++) {
        struct worker *w = &workers[i];
        *w = (struct worker){.store = number[0] + i, .closes = i < closing};
        if (w->closes) {
            w->opens = opens + i * count;
            w->closing = closes + i * count;
        }
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            return 1;
    }
    pthread_barrier_wait(&all_there);
    uint64_t began = now();
    bool good = true;
    for (size_t i = 0; i < closing; i++) {
        pthread_join(workers[i].thread, NULL);
        good &= workers[i].good;
    }
    uint64_t took = now() - began;
    pthread_mutex_unlock(&sleeping);
    for (size_t i = closing; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    if (!good)
        return 1;
    print("open", opens, closing * count);
    print("close", closes, closing * count);
    printf("each %lu\n", took / (closing * count));
    printf("memory %zu\n", memory);
    return 0;
}
