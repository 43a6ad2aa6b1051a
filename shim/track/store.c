#include "track/store.h"

#include "base/sys.h"
#include "config/rules.h"
#include "track/books.h"
#include "track/process.h"

#include <string.h>

enum {
    STORES = 32768, /* records; a power of two */
    WINDOW = 32,    /* places where a store may lie from its hash on */
    NAMES_SIZE = 8 * 1024 * 1024,
};
static const uint32_t STORE_CLAIMED = UINT32_MAX;

static struct store_books *const own = &BOOKS.stores;

static uint32_t hash(struct identity id)
{
    return (uint32_t)(identity_mix(id) >> 40) & (STORES - 1);
}

static bool is(struct store *s, struct identity id)
{
    return atomic_load(&s->ino) == id.ino && atomic_load(&s->dev) == id.dev;
}

/* Room in the arena of names; what a record got once it keeps, so that the arena is bounded. */
static bool set_path(struct store *s, const char *path)
{
    size_t size = strlen(path) + 1;
    if (s->path_room < size) {
        uint32_t room = (uint32_t)((size + 127) & ~(size_t)127);
        char *names = atomic_load(&own->names);
        uint32_t at = atomic_fetch_add(&own->names_used, room);
        if (at > NAMES_SIZE - room) {
            atomic_fetch_sub(&own->names_used, room);
            return false;
        }
        atomic_store(&s->path, names + at);
        s->path_room = room;
    }
    memcpy(atomic_load(&s->path), path, size);
    return true;
}

/* Pins a record if it is that store's and in use. */
static bool pin(struct store *s, struct identity id)
{
    uint32_t pins = atomic_load(&s->pins);
    while (pins != 0 && pins != STORE_CLAIMED && is(s, id)) {
        if (!atomic_compare_exchange_weak(&s->pins, &pins, pins + 1))
            continue;
        if (is(s, id))
            return true;
        store_release(s);
        return false;
    }
    return false;
}

static struct store *find(struct store *stores, struct identity id)
{
    for (uint32_t i = 0; i < WINDOW; i++) {
        struct store *s = &stores[(hash(id) + i) & (STORES - 1)];
        if (pin(s, id))
            return s;
    }
    return NULL;
}

static struct store *make(struct store *stores, struct identity id, const struct profile *profile,
                          const char *path)
{
    for (uint32_t i = 0; i < WINDOW; i++) {
        struct store *s = &stores[(hash(id) + i) & (STORES - 1)];
        uint32_t none = 0;
        if (!atomic_compare_exchange_strong(&s->pins, &none, STORE_CLAIMED))
            continue;
        atomic_store(&s->dev, id.dev);
        atomic_store(&s->ino, id.ino);
        atomic_store(&s->handles, 0);
        atomic_store(&s->connections, 0);
        atomic_store(&s->awaited, 0);
        atomic_store(&s->profile, profile);
        atomic_store(&s->rule, rules_find(path));
        bool named = set_path(s, path);
        atomic_store(&s->pins, named ? 1 : 0);
        return named ? s : NULL;
    }
    return NULL;
}

bool store_reserve(void)
{
    return process_publish((void *_Atomic *)&own->stores, STORES * sizeof(struct store)) &&
           process_publish((void *_Atomic *)&own->names, NAMES_SIZE);
}

/* Records are made by one thread at a time, or two threads that open a new store at the same moment
 * would make one each, and neither would know its last handle. No lock: a signal handler that
 * interrupted the thread whose turn it is must not wait for it, and a thread that left its turn by
 * longjmp never ends it. So the one goes on without a turn, and the other's is taken from it after
 * a time in which a thread that merely was not given the processor has long been done. */
static bool take_turn(int self)
{
    const uint64_t patience = 100000000;
    uint64_t since = 0;
    int seen = 0;
    for (;;) {
        int maker = 0;
        if (atomic_compare_exchange_strong(&own->maker, &maker, self))
            return true;
        if (maker == self)
            return false;
        uint64_t now = sys_now();
        if (maker != seen) {
            seen = maker;
            since = now;
        } else if (now - since > patience) {
            return atomic_compare_exchange_strong(&own->maker, &maker, self);
        }
        sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    }
}

static void end_turn(int self)
{
    atomic_compare_exchange_strong(&own->maker, &self, 0);
}

struct store *store_acquire(struct identity id, const struct profile *profile, const char *path)
{
    if (!store_reserve())
        return NULL;
    struct store *stores = atomic_load(&own->stores);
    struct store *s = find(stores, id);
    if (s != NULL)
        return s;
    int self = sys_gettid();
    bool turn = take_turn(self);
    s = find(stores, id);
    if (s == NULL)
        s = make(stores, id, profile, path);
    if (turn)
        end_turn(self);
    return s;
}

struct store *store_find(struct identity id)
{
    struct store *stores = atomic_load(&own->stores);
    return stores == NULL ? NULL : find(stores, id);
}

void store_retain(struct store *s)
{
    atomic_fetch_add(&s->pins, 1);
}

void store_release(struct store *s)
{
    atomic_fetch_sub(&s->pins, 1);
}

bool store_any(void)
{
    return atomic_load(&own->stores) != NULL;
}

uint32_t store_number(const struct store *s)
{
    return (uint32_t)(s - atomic_load(&own->stores));
}

struct store *store_numbered(uint32_t number)
{
    struct store *stores = atomic_load(&own->stores);
    return stores == NULL ? NULL : stores + number;
}
