/* levels PATH COUNT: what a look at a free file costs at each level; what it costs somebody who
 * opens the file while a lease is on it; what it costs to name the holders. Microseconds. */
#include "base/clock.h"
#include "base/sys.h"
#include "holders/holders.h"
#include "wait/probe.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t count;
static double *times;

static int ascending(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

/* Of the n largest, once the times are in order. */
static double of_largest(size_t n, double part)
{
    return times[count - n + (size_t)((double)(n - 1) * part)];
}

static double since(uint64_t began)
{
    return (double)(clock_now() - began) / 1e3;
}

static struct probe probe_at(const char *path, enum until until)
{
    struct probe p = probe_of(path, (struct identity){0, 0});
    p.until = until;
    return p;
}

static void measure_probe(const char *path, enum until until, bool again)
{
    struct probe p = probe_at(path, until);
    if (again)
        probe_ask(&p);
    for (size_t i = 0; i < count; i++) {
        uint64_t began = clock_now();
        if (probe_ask(&p) != VERDICT_SETTLED)
            exit(1);
        if (!again)
            probe_end(&p);
        times[i] = since(began);
    }
    probe_end(&p);
    qsort(times, count, sizeof *times, ascending);
    printf("%-10s %-22s median %7.2f  99%% %7.2f\n", until_names[until],
           again ? "asked again" : "opened, asked, closed", of_largest(count, 0.5),
           of_largest(count, 0.99));
}

/* --- the unlucky opener --- */

struct shared {
    _Atomic unsigned long asked;
    _Atomic unsigned long broken; /* leases, by the signals that came for them */
};

static pid_t ask_without_end(const char *path, enum until until, struct shared *shared)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct probe p = probe_at(path, until);
    const struct timespec none = {0, 0};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    for (;;) {
        probe_ask(&p);
        atomic_fetch_add(&shared->asked, 1);
        if (sigtimedwait(&set, NULL, &none) == SIGIO)
            atomic_fetch_add(&shared->broken, 1);
    }
}

/* The ones that were delayed are as many as leases were broken, and the slowest. */
static void measure_opener(const char *path, enum until until, int flags, const char *name)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = ask_without_end(path, until, shared);
    size_t refused = 0;
    while (atomic_load(&shared->asked) == 0)
        ;
    unsigned long asked = atomic_load(&shared->asked);
    unsigned long broken = atomic_load(&shared->broken);
    for (size_t i = 0; i < count; i++) {
        uint64_t began = clock_now();
        int fd = open(path, flags | O_CLOEXEC);
        times[i] = since(began);
        refused += fd < 0 && errno == EWOULDBLOCK;
        if (fd >= 0)
            close(fd);
    }
    broken = atomic_load(&shared->broken) - broken;
    asked = atomic_load(&shared->asked) - asked;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    qsort(times, count, sizeof *times, ascending);
    printf("%-10s %-22s median %7.2f  of %zu opens during %lu looks: ", until_names[until], name,
           of_largest(count, 0.5), count, asked);
    if ((flags & O_NONBLOCK) != 0) {
        printf("%zu refused\n", refused);
        return;
    }
    size_t unlucky = broken < count ? broken : count;
    printf("%zu delayed", unlucky);
    if (unlucky > 0)
        printf(", median %7.2f  90%% %7.2f  99%% %7.2f  longest %7.2f", of_largest(unlucky, 0.5),
               of_largest(unlucky, 0.9), of_largest(unlucky, 0.99), of_largest(unlucky, 1));
    printf("\n");
}

/* What any sleep costs that another process ends, to compare a delay with. */
static void measure_wake_up(void)
{
    int there[2];
    int back[2];
    char byte = 0;
    if (pipe(there) < 0 || pipe(back) < 0)
        exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
            ;
        _exit(0);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t began = clock_now();
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            exit(1);
        times[i] = since(began) / 2;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    qsort(times, count, sizeof *times, ascending);
    printf("%-10s %-22s median %7.2f  90%% %7.2f  99%% %7.2f\n", "any", "wake-up by a pipe",
           of_largest(count, 0.5), of_largest(count, 0.9), of_largest(count, 0.99));
}

/* --- names --- */

static double processor_time(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void measure_naming(const char *path, enum until until, bool locks)
{
    static struct holder list[16];
    struct holders found = {.list = list, .room = 16};
    const size_t all = count;
    const double processor = processor_time();
    count = 50;
    for (size_t i = 0; i < count; i++) {
        uint64_t began = clock_now();
        const struct holders_question question = {.path = path,
                                                  .sidecars = true,
                                                  .locks = locks,
                                                  .until = until,
                                                  .deadline = began + 10000000000u};
        holders_find(&found, &question, NULL);
        times[i] = since(began);
    }
    qsort(times, count, sizeof *times, ascending);
    printf("%-10s %-22s median %7.0f  90%% %7.0f  of processor time %7.0f\n", until_names[until],
           locks ? "named" : "named, no /proc/locks", of_largest(count, 0.5),
           of_largest(count, 0.9), (processor_time() - processor) / (double)count);
    count = all;
}

int main(int argc, char **argv)
{
    count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (count < 100 || (times = calloc(count, sizeof *times)) == NULL)
        return 2;
    int fd = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return 1;
    close(fd);
    sigset_t lease_breaks;
    sigemptyset(&lease_breaks);
    sigaddset(&lease_breaks, SIGIO);
    sigprocmask(SIG_BLOCK, &lease_breaks, NULL);
    for (enum until until = UNTIL_UNLOCKED; until <= UNTIL_CLOSED; until++) {
        measure_probe(argv[1], until, false);
        measure_probe(argv[1], until, true);
    }
    for (enum until until = UNTIL_UNLOCKED; until <= UNTIL_CLOSED; until++) {
        measure_opener(argv[1], until, O_RDWR, "opener for writing");
        measure_opener(argv[1], until, O_RDONLY, "opener for reading");
        measure_opener(argv[1], until, O_RDWR | O_NONBLOCK, "opener, O_NONBLOCK");
    }
    measure_wake_up();
    for (enum until until = UNTIL_UNLOCKED; until <= UNTIL_CLOSED; until++) {
        measure_naming(argv[1], until, false);
        measure_naming(argv[1], until, true);
    }
    free(times);
    return 0;
}
