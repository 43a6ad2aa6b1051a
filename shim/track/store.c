#include "track/store.h"

#include "base/clock.h"
#include "base/sys.h"
#include "config/rules.h"
#include "track/books.h"
#include "track/process.h"

#include <string.h>

enum {
    FIRST_LEVEL = 256, /* records; a power of two */
    WINDOW = 32,       /* places of a level where a store may lie from its hash on */
    FIRST_ARENA = 32768,
};
static const uint32_t STORE_CLAIMED = UINT32_MAX;

static struct store_books *const own = &BOOKS.stores;

static uint32_t level_size(int level)
{
    return (uint32_t)FIRST_LEVEL << 2 * level;
}

static uint32_t arena_size(int arena)
{
    return (uint32_t)FIRST_ARENA << arena;
}

static bool make_level(int level)
{
    return process_publish((void *_Atomic *)&own->levels[level],
                           level_size(level) * sizeof(struct store));
}

static bool make_arena(int arena)
{
    return process_publish((void *_Atomic *)&own->arenas[arena], arena_size(arena));
}

static struct store *place(struct store *stores, int level, struct identity id, uint32_t i)
{
    uint32_t hash = (uint32_t)(identity_mix(id) >> 40);
    return &stores[(hash + i) & (level_size(level) - 1)];
}

static bool is(struct store *s, struct identity id)
{
    return atomic_load(&s->ino) == id.ino && atomic_load(&s->dev) == id.dev;
}

/* Room for a name; what a record got once it keeps, so that the arenas are bounded. */
static char *room_for(uint32_t size)
{
    for (int k = 0; k < STORE_ARENAS && make_arena(k); k++) {
        uint32_t at = atomic_fetch_add(&own->bytes_used[k], size);
        if (at <= arena_size(k) - size)
            return atomic_load(&own->arenas[k]) + at;
        atomic_fetch_sub(&own->bytes_used[k], size);
    }
    return NULL;
}

static bool set_path(struct store *s, const char *path)
{
    size_t size = strlen(path) + 1;
    if (s->path_room < size) {
        uint32_t room = (uint32_t)((size + 63) & ~(size_t)63);
        char *at = room_for(room);
        if (at == NULL)
            return false;
        atomic_store(&s->path, at);
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

static struct store *find(struct identity id)
{
    struct store *stores;
    for (int k = 0; k < STORE_LEVELS && (stores = atomic_load(&own->levels[k])) != NULL; k++)
        for (uint32_t i = 0; i < WINDOW; i++) {
            struct store *s = place(stores, k, id, i);
            if (pin(s, id))
                return s;
        }
    return NULL;
}

/* A record that nobody uses, for whoever claims it. */
static struct store *claim(struct identity id)
{
    for (int k = 0; k < STORE_LEVELS && make_level(k); k++)
        for (uint32_t i = 0; i < WINDOW; i++) {
            struct store *s = place(atomic_load(&own->levels[k]), k, id, i);
            uint32_t none = 0;
            if (!atomic_compare_exchange_strong(&s->pins, &none, STORE_CLAIMED))
                continue;
            if (s->path_room == 0)
                atomic_fetch_add(&own->records_used[k], 1);
            return s;
        }
    return NULL;
}

static struct store *make(struct identity id, const struct profile *profile, const char *path)
{
    struct store *s = claim(id);
    if (s == NULL)
        return NULL;
    atomic_store(&s->dev, id.dev);
    atomic_store(&s->ino, id.ino);
    atomic_store(&s->handles, 0);
    atomic_store(&s->locks, 0);
    atomic_store(&s->shm, 0);
    atomic_store(&s->connections, 0);
    atomic_store(&s->awaited, 0);
    atomic_store(&s->profile, profile);
    atomic_store(&s->rule, rules_find(path));
    bool named = set_path(s, path);
    atomic_store(&s->pins, named ? 1 : 0);
    return named ? s : NULL;
}

/* A level that is half full may soon have no place for a store; so with an arena. */
bool store_reserve(void)
{
    bool made = make_level(0) && make_arena(0);
    for (int k = 1;
         k < STORE_LEVELS && atomic_load(&own->records_used[k - 1]) >= level_size(k - 1) / 2; k++)
        make_level(k);
    for (int k = 1;
         k < STORE_ARENAS && atomic_load(&own->bytes_used[k - 1]) >= arena_size(k - 1) / 2; k++)
        make_arena(k);
    return made;
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
        uint64_t now = clock_now();
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
    struct store *s = find(id);
    if (s != NULL)
        return s;
    int self = sys_gettid();
    bool turn = take_turn(self);
    s = find(id);
    if (s == NULL)
        s = make(id, profile, path);
    if (turn)
        end_turn(self);
    return s;
}

struct store *store_find(struct identity id)
{
    return find(id);
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
    return atomic_load(&own->levels[0]) != NULL;
}

uint32_t store_number(const struct store *s)
{
    uint32_t first = 0;
    for (int k = 0; k < STORE_LEVELS; first += level_size(k++)) {
        const struct store *stores = atomic_load(&own->levels[k]);
        if (stores != NULL && s >= stores && s < stores + level_size(k))
            return first + (uint32_t)(s - stores);
    }
    return 0;
}

struct store *store_numbered(uint32_t number)
{
    int level = 0;
    while (level < STORE_LEVELS - 1 && number >= level_size(level))
        number -= level_size(level++);
    struct store *stores = atomic_load(&own->levels[level]);
    return stores == NULL ? NULL : stores + number;
}
