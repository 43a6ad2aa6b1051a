#include "track/store.h"

#include "base/path.h"
#include "base/patience.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"
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
        uint32_t room = (uint32_t)((size + 31) & ~(size_t)31);
        char *at = room_for(room);
        if (at == NULL)
            return false;
        atomic_store(&s->path, at);
        s->path_room = room;
    }
    memcpy(atomic_load(&s->path), path, size);
    return true;
}

/* Nobody uses the record, but it is still that of a store whose engine was seen. */
static bool remembers(struct store *s)
{
    return (atomic_load(&s->handles) & STORE_ENGINE) != 0;
}

/* Pins a record if it is that store's and in use; or, where idle ones count, remembered. */
static bool pin(struct store *s, struct identity id, bool idle)
{
    uint32_t pins = atomic_load(&s->pins);
    while (pins != STORE_CLAIMED && is(s, id) && (pins != 0 || (idle && remembers(s)))) {
        if (!atomic_compare_exchange_weak(&s->pins, &pins, pins + 1))
            continue;
        if (is(s, id))
            return true;
        store_release(s);
        return false;
    }
    return false;
}

static struct store *find(struct identity id, bool idle)
{
    struct store *stores;
    for (int k = 0; k < STORE_LEVELS && (stores = atomic_load(&own->levels[k])) != NULL; k++)
        for (uint32_t i = 0; i < WINDOW; i++) {
            struct store *s = place(stores, k, id, i);
            if (pin(s, id, idle))
                return s;
        }
    return NULL;
}

static bool claim_one(struct store *s)
{
    uint32_t none = 0;
    return atomic_compare_exchange_strong(&s->pins, &none, STORE_CLAIMED);
}

/* A record that nobody uses, for whoever claims it: the first that is not remembered, else the one
 * whose store was closed first. */
static struct store *find_free(int level, struct identity id)
{
    struct store *oldest = NULL;
    for (uint32_t i = 0; i < WINDOW; i++) {
        struct store *s = place(atomic_load(&own->levels[level]), level, id, i);
        if (atomic_load(&s->pins) != 0)
            continue;
        if (!remembers(s))
            return s;
        if (oldest == NULL || atomic_load(&s->fell) < atomic_load(&oldest->fell))
            oldest = s;
    }
    return oldest;
}

static struct store *claim(struct identity id)
{
    for (int k = 0; k < STORE_LEVELS && make_level(k); k++) {
        struct store *s;
        while ((s = find_free(k, id)) != NULL && !claim_one(s))
            ;
        if (s == NULL)
            continue;
        if (s->path_room == 0)
            atomic_fetch_add(&own->records_used[k], 1);
        return s;
    }
    return NULL;
}

static void find_directory(struct store *s)
{
    struct stat st = {.st_ino = 0};
    char *path = scratch_take();
    bool is_known = path != NULL && str_copy(path, PATH_MAX, atomic_load(&s->path)) &&
                    path_cut(path) && sys_stat(path, &st) == 0;
    atomic_store(&s->directory_dev, st.st_dev);
    atomic_store(&s->directory_ino, is_known ? st.st_ino : 0);
    scratch_give(path);
}

/* Fills in a record that the caller has claimed, and pins it. */
static struct store *begin(struct store *s, struct identity id, const struct profile *profile,
                           const char *path)
{
    atomic_store(&s->dev, id.dev);
    atomic_store(&s->ino, id.ino);
    atomic_store(&s->handles, 0);
    atomic_store(&s->locks, 0);
    atomic_store(&s->shm, 0);
    atomic_store(&s->fell, 0);
    atomic_store(&s->opens, 0);
    atomic_store(&s->state, 0);
    atomic_store(&s->closing, 0);
    atomic_store(&s->manners, 0);
    atomic_store(&s->connections, 0);
    atomic_store(&s->awaited, 0);
    atomic_store(&s->waited, 0);
    bool named = set_path(s, path);
    if (named)
        find_directory(s);
    atomic_store(&s->profile, profile);
    atomic_store(&s->rule, rules_find(path));
    atomic_store(&s->pins, named ? 1 : 0);
    return named ? s : NULL;
}

static struct store *make(struct identity id, const struct profile *profile, const char *path)
{
    struct store *s = claim(id);
    return s == NULL ? NULL : begin(s, id, profile, path);
}

/* The record that there is, or what is remembered. Not where another file has its inode now, or the
 * store lies elsewhere. */
static struct store *revive(struct identity id, const struct profile *profile, const char *path)
{
    struct store *s = find(id, true);
    uint32_t mine = 1;
    if (s == NULL || (store_profile(s) == profile && strcmp(store_path(s), path) == 0))
        return s;
    return atomic_compare_exchange_strong(&s->pins, &mine, STORE_CLAIMED)
               ? begin(s, id, profile, path)
               : s; /* others have it open */
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
    struct patience patience = {0};
    int seen = 0;
    for (;;) {
        int maker = 0;
        if (atomic_compare_exchange_strong(&own->maker, &maker, self))
            return true;
        if (maker == self)
            return false;
        if (maker != seen)
            patience = (struct patience){0};
        seen = maker;
        if (!patience_wait(&patience))
            return atomic_compare_exchange_strong(&own->maker, &maker, self);
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
    struct store *s = find(id, false);
    if (s != NULL)
        return s;
    int self = sys_gettid();
    bool turn = take_turn(self);
    s = revive(id, profile, path);
    if (s == NULL)
        s = make(id, profile, path);
    if (turn)
        end_turn(self);
    return s;
}

struct store *store_find(struct identity id)
{
    return find(id, true);
}

struct store *store_next(uint32_t *at, const struct identity *directory)
{
    const uint32_t end = (level_size(STORE_LEVELS) - FIRST_LEVEL) / 3; /* the sum of all levels */
    struct store *s;
    while (*at < end && (s = store_numbered(*at)) != NULL) {
        ++*at;
        struct identity in = {atomic_load(&s->directory_dev), atomic_load(&s->directory_ino)};
        if (!remembers(s) || (directory != NULL && !identity_same(in, *directory)))
            continue;
        if (pin(s, store_primary(s), true))
            return s;
    }
    return NULL;
}

uint32_t store_mark(struct store *s, uint32_t set, uint32_t cleared)
{
    uint32_t state = atomic_load(&s->state);
    while (!atomic_compare_exchange_weak(&s->state, &state, (state & ~cleared) | set))
        ;
    return state;
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
