/* wakes PATH COUNT: when a helper should wake its caller: at its end, after it has asked for the
 * sidecars of PATH as well, or as soon as PATH itself is free, the caller looking on while the
 * helper asks for the rest. Another process lets go after some milliseconds, in which both have
 * gone to sleep. Both orders take turns. Prints for each the median and the 99th percentile of
 * COUNT times from the release to the moment at which the close could return, in ns. */
#include "base/path.h"
#include "base/sys.h"
#include "helper/helper.h"
#include "samples.h"
#include "wait/probe.h"

#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Of the one who lets go and this process. */
static struct shared {
    _Atomic uint32_t begun;    /* trials */
    _Atomic uint32_t released; /* trials */
    _Atomic uint64_t at;       /* when the last one was */
} * shared;

struct request {
    const char *path;
    bool first; /* the caller is woken */
    uint32_t trial;
    _Atomic uint32_t woken;
};

static void wait_until(_Atomic uint32_t *word, uint32_t value)
{
    for (uint32_t is; (is = atomic_load(word)) != value;)
        sys_call(SYS_futex, (long)word, FUTEX_WAIT, is, 0, 0, 0);
}

static void set(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    sys_call(SYS_futex, (long)word, FUTEX_WAKE, INT_MAX, 0, 0, 0);
}

static void let_go_again_and_again(void)
{
    const struct timespec hold = {0, 3000000};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uint32_t trial = 1;; trial++) {
        wait_until(&shared->begun, trial);
        nanosleep(&hold, NULL);
        atomic_store(&shared->at, now());
        set(&shared->released, trial);
    }
}

static void ask(struct probe *probe)
{
    probe->last = true;
    if (probe_ask(probe) != VERDICT_SETTLED)
        _exit(1);
}

/* As wait_store asks. */
static void ask_for_sidecars(const char *path)
{
    static const char *const endings[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char name[PATH_MAX];
        struct stat st;
        if (!path_beside(name, sizeof name, path, endings[i]) || sys_stat(name, &st) < 0)
            continue;
        struct probe probe = probe_of(name, (struct identity){0, 0});
        ask(&probe);
    }
}

static void work(void *argument)
{
    struct request *r = argument;
    struct probe probe = probe_of(r->path, (struct identity){0, 0});
    probe_ask(&probe);
    wait_until(&shared->released, r->trial);
    ask(&probe);
    if (r->first)
        set(&r->woken, 1);
    ask_for_sidecars(r->path);
}

static uint64_t once(const char *path, uint32_t trial, bool first)
{
    struct helper *h = helper_new(sizeof(struct request));
    if (h == NULL)
        exit(1);
    struct request *r = helper_request(h);
    *r = (struct request){.path = path, .first = first, .trial = trial};
    set(&shared->begun, trial);
    if (!first && helper_run(h, work, UINT64_MAX) != 0)
        exit(1);
    if (first) {
        if (helper_begin(h, work) != 0)
            exit(1);
        wait_until(&r->woken, 1);
        while (helper_is_running(h))
            sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    }
    const uint64_t took = now() - atomic_load(&shared->at);
    helper_free(h);
    return took;
}

int main(int argc, char **argv)
{
    const size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    uint64_t *took = calloc(2 * count + 1, sizeof *took);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (count == 0 || took == NULL || shared == MAP_FAILED)
        return 2;
    if (fork() == 0)
        let_go_again_and_again();
    for (size_t i = 0; i < 2 * count; i++)
        took[i % 2 * count + i / 2] = once(argv[1], (uint32_t)i + 1, i % 2 == 1);
    for (int first = 0; first < 2; first++) {
        uint64_t *own = took + (size_t)first * count;
        samples_sort(own, count);
        printf("%lu %lu\n", (unsigned long)samples_at(own, count, 0.5),
               (unsigned long)samples_at(own, count, 0.99));
    }
    free(took);
    return 0;
}
