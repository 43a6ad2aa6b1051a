#include "track/crossing.h"

#include "base/clock.h"
#include "base/sys.h"
#include "track/books.h"

static struct crossing_books *const own = &BOOKS.crossings;

/* Of a place: itself. */
static inline __attribute__((always_inline)) unsigned place_of(uint64_t file)
{
    return (unsigned)((file ^ file >> 4) % CROSSINGS);
}

static struct crossing *of(uint64_t file)
{
    return &own->files[place_of(file)];
}

static void begin(_Atomic uint32_t *number)
{
    atomic_fetch_add(number, 1);
}

/* Never below 0: it may have been set to that meanwhile. */
static SYS_OWN_FRAME void end(_Atomic uint32_t *number)
{
    uint32_t was = atomic_load(number);
    while (was > 0 && !atomic_compare_exchange_weak(number, &was, was - 1))
        ;
}

static SYS_OWN_FRAME void await(_Atomic uint32_t *on_their_way)
{
    const uint64_t spinning = 100000;
    const uint64_t patience = 100000000; /* a busy machine keeps a thread from running for 30 ms */
    if (atomic_load(on_their_way) == 0)
        return;
    uint64_t began = clock_now();
    while (atomic_load(on_their_way) > 0) {
        uint64_t waited = clock_now() - began;
        if (waited >= patience)
            atomic_store(on_their_way, 0);
        else if (waited >= spinning)
            sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0); /* it has lost the processor */
    }
}

uint8_t crossing_close_begins(uint64_t file)
{
    const unsigned place = place_of(file);
    begin(&own->files[place].closes);
    return (uint8_t)place;
}

void crossing_close_ends(uint64_t file)
{
    end(&of(file)->closes);
}

void crossing_await_closes(uint64_t file)
{
    await(&of(file)->closes);
}

static bool is_held_off(struct crossing *c)
{
    return atomic_load(&c->without_locks) > 0 || atomic_load(&own->without_locks) > 0;
}

/* Of a lock and a close that come at the same time, each is entered before it looks for the other:
 * so the lock steps back, or the close waits for it. */
void crossing_lock_begins(uint64_t file)
{
    const int most = 1000; /* such closes one after the other */
    struct crossing *c = of(file);
    await(&c->closes);
    begin(&c->locks);
    for (int i = 0; i < most && is_held_off(c); i++) {
        end(&c->locks);
        await(&c->without_locks);
        await(&own->without_locks);
        begin(&c->locks);
    }
}

void crossing_lock_ends(uint64_t file)
{
    end(&of(file)->locks);
}

void crossing_hold_locks(uint64_t file)
{
    begin(&of(file)->without_locks);
    await(&of(file)->locks);
}

void crossing_let_locks(uint64_t file)
{
    end(&of(file)->without_locks);
}

void crossing_hold_all_locks(void)
{
    begin(&own->without_locks);
    for (unsigned i = 0; i < CROSSINGS; i++)
        await(&own->files[i].locks);
}

void crossing_let_all_locks(void)
{
    end(&own->without_locks);
}
