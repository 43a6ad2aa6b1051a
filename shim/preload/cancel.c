#include "preload/cancel.h"

#include "base/elf_lookup.h"
#include "preload/real.h"

#include <stdatomic.h>
#include <stddef.h>

static const int nothing_held = -1;

const void *cancel_first_thread;

/* What libc lacks does nothing: before glibc 2.34 these are in libpthread, and a process without
 * that has no threads. */
static int no_state(int state, int *old)
{
    (void)state;
    (void)old;
    return -1;
}

static void no_point(void)
{
}

/* Found when a thread first closes what is known: most processes have none that does, and each name
 * costs the start. Threads that come at the same time find the same. */
static __typeof__(&pthread_setcancelstate) _Atomic set_state;
static __typeof__(&pthread_testcancel) _Atomic test;

static void find(void)
{
    void *state = elf_find_later("pthread_setcancelstate");
    void *point = elf_find_later("pthread_testcancel");
    atomic_store(&test, point == NULL ? no_point : (__typeof__(&pthread_testcancel))point);
    atomic_store(&set_state, state == NULL ? no_state : (__typeof__(&pthread_setcancelstate))state);
}

void cancel_start(void)
{
    cancel_first_thread = cancel_thread();
}

void cancel_point(void)
{
    if (atomic_load(&set_state) == NULL)
        find();
    __typeof__(&pthread_testcancel) function = atomic_load(&test);
    function();
}

int cancel_hold(void)
{
    int state = nothing_held;
    if (!cancel_is_possible())
        return nothing_held;
    if (atomic_load(&set_state) == NULL)
        find();
    __typeof__(&pthread_setcancelstate) function = atomic_load(&set_state);
    return function(PTHREAD_CANCEL_DISABLE, &state) == 0 ? state : nothing_held;
}

void cancel_let(int held)
{
    __typeof__(&pthread_setcancelstate) function = atomic_load(&set_state);
    if (held != nothing_held)
        function(held, NULL);
}
