/* Something that one thread waits for and another one does. */
#ifndef SETTLE_EVENT_H
#define SETTLE_EVENT_H

#include "base/sys.h"

#include <linux/futex.h>
#include <stdatomic.h>

struct event {
    _Atomic uint32_t happened;
};

static inline void event_set(struct event *e)
{
    atomic_store(&e->happened, 1);
    sys_call(SYS_futex, (long)&e->happened, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

static inline bool event_is_set(const struct event *e)
{
    return atomic_load(&e->happened) != 0;
}

static inline void event_clear(struct event *e)
{
    atomic_store(&e->happened, 0);
}

/* For ns at most; may return before. */
static inline void event_wait(struct event *e, uint64_t ns)
{
    const struct timespec timeout = sys_timespec(ns);
    if (!event_is_set(e))
        sys_call(SYS_futex, (long)&e->happened, FUTEX_WAIT_PRIVATE, 0, (long)&timeout, 0, 0);
}

#endif
