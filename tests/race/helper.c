/* Stands in for shim/helper/helper.c where ThreadSanitizer watches: a thread of libc's instead of a
 * raw clone. It shares the program's descriptors, which harms nobody here: no program in this
 * directory holds a lock. */
#include "helper/helper.h"

#include "race.h"

#include <errno.h>
#include <stdlib.h>

_Atomic unsigned helpers_run;

struct helper {
    void (*work)(void *request);
    _Alignas(16) char request[];
};

struct helper *helper_new(size_t size)
{
    return calloc(1, sizeof(struct helper) + size);
}

void *helper_request(struct helper *h)
{
    return h->request;
}

static void *run(void *argument)
{
    struct helper *h = argument;
    h->work(h->request);
    return NULL;
}

int helper_run(struct helper *h, void (*work)(void *), uint64_t deadline)
{
    pthread_t thread;
    (void)deadline;
    atomic_fetch_add_explicit(&helpers_run, 1, memory_order_relaxed);
    h->work = work;
    if (pthread_create(&thread, NULL, run, h) != 0)
        return EAGAIN;
    pthread_join(thread, NULL);
    return 0;
}

int helper_run_interruptibly(struct helper *h, void (*work)(void *), uint64_t deadline)
{
    return helper_run(h, work, deadline);
}

bool helper_is_told_to_stop(struct helper *h)
{
    (void)h;
    return false;
}

int helper_begin(struct helper *h, void (*work)(void *))
{
    (void)h;
    (void)work;
    return ENOTSUP;
}

bool helper_is_running(const struct helper *h)
{
    (void)h;
    return false;
}

void helper_free(struct helper *h)
{
    free(h);
}

bool helper_threads_are_there(void)
{
    return false;
}

bool helper_other_threads(void)
{
    return true;
}

bool helper_threads_besides(unsigned known)
{
    return known < RACERS;
}
