/* What the tests of settle --supervise share: the programs, closes that wait, and the processes of
 * a supervisor. */
#ifndef SETTLE_SUPERVISED_H
#define SETTLE_SUPERVISED_H

#include "e2e.h"

#include <criterion/criterion.h>
#include <string.h>

/* ms: above what a close takes that does not wait, below the shortest that a lock is held. */
#ifndef AT_ONCE
#define AT_ONCE 250
#endif
static const uint64_t at_once = AT_ONCE * (uint64_t)MS;
static const uint64_t a_while = 500 * (uint64_t)MS;

static const char stepper[] = "build/programs/stepper-static";
static const char signals[] = "build/programs/signals-static";
static const char program[] = "build/programs/supervised-static";

/* What it did came to its end only once the holder had let go, and errno is as it was. */
static inline void expect_wait(struct process *p, const char *command)
{
    struct process holder = hold("posix", world.primary, 800);
    struct step closed = step(p, command);
    uint64_t now = now_ns();
    cr_expect_geq(closed.result, 0, "%s: %s", command, strerror(closed.error));
    cr_expect_eq(closed.error, 12345, "%s: errno", command);
    cr_expect_gt(closed.took, a_while, "%s took %lu ns", command, (unsigned long)closed.took);
    cr_expect_gt(now, released_at(&holder), "%s", command);
}

/* How many children a process has, and which is the first; 0: it has none. */
static inline unsigned children_of(int pid, int *first)
{
    char path[64];
    int child;
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fscanf(file, "%d", &child) == 1)
        if (count++ == 0)
            *first = child;
    if (file != NULL)
        fclose(file);
    return count;
}

static inline int child_of(int pid)
{
    int child = 0;
    children_of(pid, &child);
    return child;
}

#endif
