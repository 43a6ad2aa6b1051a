#include "track/crossing.h"

#include "base/patience.h"
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

static SYS_OWN_FRAME void await(_Atomic uint32_t *on_their_way, struct patience *patience)
{
    while (atomic_load(on_their_way) > 0)
        if (!patience_wait(patience))
            atomic_store(on_their_way, 0);
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
    struct patience patience = {0};
    await(&of(file)->closes, &patience);
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
    struct patience patience = {0}; /* one for all that is waited for here */
    await(&c->closes, &patience);
    begin(&c->locks);
    for (int i = 0; i < most && is_held_off(c); i++) {
        end(&c->locks);
        await(&c->without_locks, &patience);
        await(&own->without_locks, &patience);
        begin(&c->locks);
    }
}

void crossing_lock_ends(uint64_t file)
{
    end(&of(file)->locks);
}

void crossing_hold_locks(uint64_t file)
{
    struct patience patience = {0};
    begin(&of(file)->without_locks);
    await(&of(file)->locks, &patience);
}

void crossing_let_locks(uint64_t file)
{
    end(&of(file)->without_locks);
}

void crossing_hold_all_locks(void)
{
    struct patience patience = {0};
    begin(&own->without_locks);
    for (unsigned i = 0; i < CROSSINGS; i++)
        await(&own->files[i].locks, &patience);
}

void crossing_let_all_locks(void)
{
    end(&own->without_locks);
}
