#include "track/handle.h"

#include "base/sys.h"
#include "track/books.h"
#include "track/handle_count.h"
#include "track/keep.h"
#include "track/process.h"

static struct handle_books *const own = &BOOKS.handles;

/* A word, from its lowest bit on. */
enum { ROLE_BITS = 3, KIND_BITS = 2, NUMBER_AT = ROLE_BITS + KIND_BITS };

/* Inline: what the calls on a file that is no store's do here is to take little stack. */
static inline __attribute__((always_inline)) struct handle_entry *entry_of(int fd, bool make_chunk)
{
    if ((unsigned)fd >= HANDLE_CHUNK * HANDLE_CHUNKS)
        return NULL;
    struct handle_chunk *_Atomic *place = &own->chunks[(unsigned)fd / HANDLE_CHUNK];
    if (make_chunk)
        process_publish((void *_Atomic *)place, sizeof(struct handle_chunk));
    struct handle_chunk *chunk = atomic_load(place);
    return chunk == NULL ? NULL : &chunk->entries[(unsigned)fd % HANDLE_CHUNK];
}

/* Its chunk is there. */
static SYS_OWN_FRAME void mark_ever(int fd)
{
    struct handle_chunk *chunk = atomic_load(&own->chunks[(unsigned)fd / HANDLE_CHUNK]);
    if (chunk != NULL) /* it is not in a child that a signal handler has forked */
        atomic_fetch_or(&chunk->ever[(unsigned)fd % HANDLE_CHUNK / 64], 1ull << (unsigned)fd % 64);
}

struct handle_entry *handle_entry(int fd)
{
    struct handle_entry *entry = entry_of(fd, false);
    return entry != NULL ? entry : entry_of(fd, true);
}

bool handle_had_alone(const struct handle *h)
{
    const struct profile *profile = h->store == NULL ? NULL : atomic_load(&h->store->profile);
    return profile != NULL && profile->exclusive && (h->facts & FACT_EXCLUSIVE) != 0 &&
           (h->facts & FACT_INCLUSIVE) == 0 &&
           (profile->engine == ENGINE_RECORDS || !keep_is_shared(h));
}

bool handle_opened_as_engine(const struct handle *h)
{
    return h->kind == KIND_ENGINE || (atomic_load(&h->store->manners) & kind_manner(h->facts)) != 0;
}

static enum kind kind_of(const struct handle *h)
{
    return kind_by(h->store == NULL ? NULL : atomic_load(&h->store->profile), h->role, h->facts);
}

/* Of a candidate, in place of a store's number. */
static uint32_t number_of(struct identity file)
{
    return (uint32_t)(identity_mix(file) >> (32 + NUMBER_AT));
}

static uint32_t word_of(const struct handle *h)
{
    uint32_t number = h->role == ROLE_CANDIDATE ? number_of(h->identity) : store_number(h->store);
    return number << NUMBER_AT | (uint32_t)h->kind << ROLE_BITS | (uint32_t)h->role;
}

static enum role role_of(uint32_t word)
{
    return (enum role)(word & ((1u << ROLE_BITS) - 1));
}

static enum kind kind_in(uint32_t word)
{
    return (enum kind)(word >> ROLE_BITS & ((1u << KIND_BITS) - 1));
}

static struct identity identity_in(const struct handle_entry *entry)
{
    return (struct identity){atomic_load_explicit(&entry->dev, memory_order_relaxed),
                             atomic_load_explicit(&entry->ino, memory_order_relaxed)};
}

/* Others have no store, and count nowhere. */
static bool is_of_store(enum role role)
{
    return role != ROLE_NONE && role != ROLE_CANDIDATE && role != ROLE_PUT_OFF &&
           role != ROLE_LATER;
}

static inline __attribute__((always_inline)) struct handle unpack(uint32_t word,
                                                                  const struct handle_entry *entry)
{
    struct handle h = {.role = ROLE_NONE};
    if (is_of_store(role_of(word))) {
        h.store = store_numbered(word >> NUMBER_AT);
        if (h.store == NULL) /* a signal handler has forked, and this is the child */
            return h;
    }
    h.role = role_of(word);
    if (h.role == ROLE_NONE)
        return h;
    h.kind = kind_in(word);
    h.identity = identity_in(entry);
    h.facts = atomic_load_explicit(&entry->facts, memory_order_relaxed);
    return h;
}

/* --- the table --- */

struct handle handle_get(int fd)
{
    struct handle_entry *entry = entry_of(fd, false);
    if (entry == NULL)
        return (struct handle){.role = ROLE_NONE};
    return unpack(atomic_load(&entry->word), entry);
}

/* By the entry alone: the number would be some bytes more of the program's stack. */
static SYS_OWN_FRAME bool set_word(struct handle_entry *entry, uint32_t word)
{
    atomic_store(&entry->word, word);
    const struct handle_chunk *first = atomic_load(&own->chunks[0]);
    if (first != NULL && entry >= first->entries && entry < first->entries + HANDLE_NEAR)
        atomic_fetch_or(&own->near[entry - first->entries], NEAR_HANDLE);
    return true;
}

/* Its word has become 0. */
static inline void clear_near(int fd, const struct handle_entry *entry)
{
    if ((unsigned)fd >= HANDLE_NEAR)
        return;
    atomic_fetch_and(&own->near[fd], (uint8_t)~NEAR_HANDLE);
    if (atomic_load(&entry->word) != 0)
        atomic_fetch_or(&own->near[fd], NEAR_HANDLE);
}

static void raise_to(_Atomic uint32_t *end, uint32_t to)
{
    uint32_t was = atomic_load(end);
    while (was < to && !atomic_compare_exchange_weak(end, &was, to))
        ;
}

/* Before the entry is filled, so that whoever learns of the descriptor finds it below the end. */
static SYS_OWN_FRAME void move_end_past(int fd)
{
    raise_to(&own->known, (uint32_t)fd + 1);
    raise_to(&own->end, (uint32_t)fd + 1);
}

void handle_know_readers(uint32_t end)
{
    raise_to(&own->known, end);
}

static SYS_OWN_FRAME void fill(struct handle_entry *entry, const struct handle *h)
{
    atomic_store_explicit(&entry->dev, h->identity.dev, memory_order_relaxed);
    atomic_store_explicit(&entry->ino, h->identity.ino, memory_order_relaxed);
    atomic_store_explicit(&entry->facts, h->facts, memory_order_relaxed);
    atomic_store_explicit(&entry->spawned, keep_spawned(), memory_order_relaxed);
}

bool handle_put(int fd, struct handle h)
{
    struct handle_entry *entry = entry_of(fd, true);
    if (entry == NULL)
        return false;
    if (h.role != ROLE_CANDIDATE && !store_any())
        return false; /* a signal handler has forked, and this is the child */
    h.kind = kind_of(&h);
    if (h.role != ROLE_CANDIDATE)
        handle_count_in(h.store, h.role, h.kind);
    move_end_past(fd);
    mark_ever(fd);
    fill(entry, &h);
    return set_word(entry, word_of(&h));
}

uint32_t handle_spawned(int fd)
{
    const struct handle_entry *entry = entry_of(fd, false);
    return entry == NULL ? 0 : atomic_load_explicit(&entry->spawned, memory_order_relaxed);
}

struct handle handle_take(int fd, bool *last)
{
    struct handle_entry *entry = entry_of(fd, false);
    *last = false;
    if (entry == NULL)
        return (struct handle){.role = ROLE_NONE};
    const uint32_t word = atomic_exchange(&entry->word, 0);
    clear_near(fd, entry);
    struct handle h = unpack(word, entry);
    if (h.store != NULL)
        *last = handle_count_out(h.store, h.role, h.kind);
    return h;
}

bool handle_promote(int fd, struct store *store, struct identity primary)
{
    struct handle_entry *entry = entry_of(fd, false);
    if (entry == NULL)
        return false;
    /* The number may be used again between any two of these, and again: so the word itself is of
     * that file, too, or one that comes back would be taken for what the identity was meanwhile. */
    uint32_t word = atomic_load(&entry->word);
    if (role_of(word) != ROLE_CANDIDATE || word >> NUMBER_AT != number_of(primary) ||
        !identity_same(identity_in(entry), primary))
        return false;
    struct handle h = {.role = ROLE_PRIMARY, .store = store, .identity = primary};
    h.facts = atomic_load_explicit(&entry->facts, memory_order_relaxed);
    h.kind = kind_of(&h);
    /* Counted before it can be taken out by another thread. */
    store_retain(store);
    handle_count_in(store, ROLE_PRIMARY, h.kind);
    if (atomic_compare_exchange_strong(&entry->word, &word, word_of(&h))) {
        if (h.kind == KIND_ENGINE)
            atomic_fetch_or(&store->manners, kind_manner(h.facts));
        return true;
    }
    handle_count_out(store, ROLE_PRIMARY, h.kind);
    store_release(store);
    return false;
}

void handle_note(int fd, unsigned facts)
{
    struct handle_entry *entry = entry_of(fd, false);
    uint32_t word = entry == NULL ? 0 : atomic_load(&entry->word);
    struct handle h = {.role = ROLE_NONE};
    if (word != 0)
        h = unpack(word, entry);
    if (h.role == ROLE_NONE || h.role == ROLE_PUT_OFF || h.role == ROLE_LATER ||
        (h.facts & facts) == facts)
        return;
    atomic_fetch_or(&entry->facts, facts);
    h.facts |= facts;
    const enum kind before = h.kind;
    h.kind = kind_of(&h);
    if (h.kind == before)
        return;
    /* The new kind is counted first, or a thread that closes the other handle could take it for the
     * last. */
    handle_count_in(h.store, h.role, h.kind);
    bool changed = atomic_compare_exchange_strong(&entry->word, &word, word_of(&h));
    handle_count_out(h.store, h.role, changed ? before : h.kind);
    if (h.role == ROLE_PRIMARY && h.kind == KIND_ENGINE)
        atomic_fetch_or(&h.store->manners, kind_manner(h.facts));
}

static uint32_t put_off_word(unsigned place)
{
    return place << NUMBER_AT | ROLE_PUT_OFF;
}

void handle_put_off(int fd, unsigned place, struct identity file)
{
    struct handle_entry *entry = entry_of(fd, false);
    if (entry == NULL)
        return;
    atomic_store_explicit(&entry->dev, file.dev, memory_order_relaxed);
    atomic_store_explicit(&entry->ino, file.ino, memory_order_relaxed);
    set_word(entry, put_off_word(place));
}

void handle_end_put_off(int fd, unsigned place)
{
    struct handle_entry *entry = entry_of(fd, false);
    uint32_t word = put_off_word(place);
    if (entry != NULL && atomic_compare_exchange_strong(&entry->word, &word, 0))
        clear_near(fd, entry);
}

static const uint32_t later_words[] = {
    [LATER_NOT] = 0, [LATER_NOTED] = ROLE_LATER, [LATER_LOOKED_AT] = 1 << NUMBER_AT | ROLE_LATER};

bool handle_change_later(int fd, enum later from, enum later to)
{
    struct handle_entry *entry = handle_entry(fd);
    uint32_t word = later_words[from];
    if (entry == NULL)
        return false;
    if (from == LATER_NOT) {
        move_end_past(fd);
        mark_ever(fd);
    }
    if (!atomic_compare_exchange_strong(&entry->word, &word, later_words[to]))
        return false;
    if (from == LATER_NOT && (unsigned)fd < HANDLE_NEAR)
        atomic_fetch_or(&own->near[fd], NEAR_HANDLE);
    if (to == LATER_NOT)
        clear_near(fd, entry);
    return true;
}

enum later handle_later(int fd)
{
    const struct handle_entry *entry = entry_of(fd, false);
    const uint32_t word = entry == NULL ? 0 : atomic_load(&entry->word);
    if (role_of(word) != ROLE_LATER)
        return LATER_NOT;
    return word == ROLE_LATER ? LATER_NOTED : LATER_LOOKED_AT;
}

int handle_next(unsigned first, unsigned last)
{
    const unsigned end = atomic_load(&own->end);
    for (unsigned fd = first; fd < end && fd <= last; fd++) {
        struct handle_chunk *chunk = atomic_load(&own->chunks[fd / HANDLE_CHUNK]);
        if (chunk == NULL) {
            fd |= HANDLE_CHUNK - 1; /* on to the next chunk */
            continue;
        }
        const uint64_t ever = atomic_load(&chunk->ever[fd % HANDLE_CHUNK / 64]) >> fd % 64;
        if (ever == 0) {
            fd |= 63;
            continue;
        }
        fd += (unsigned)__builtin_ctzll(ever);
        if (fd <= last && atomic_load(&chunk->entries[fd % HANDLE_CHUNK].word) != 0)
            return (int)fd;
    }
    return -1;
}

bool handle_of_its_engine(const struct handle *h)
{
    return h->kind == KIND_ENGINE || (h->role == ROLE_CANDIDATE && kind_tells_engine(h->facts));
}

bool handle_is_engine(int fd)
{
    struct handle h = handle_get(fd);
    return h.role != ROLE_NONE && h.kind == KIND_ENGINE;
}

bool handle_is_foreign(int fd)
{
    struct handle h = handle_get(fd);
    return h.store != NULL && h.kind != KIND_ENGINE && handle_count_engine(h.store) > 0;
}

/* The same as handle_of_its_engine, of an entry: without a handle made of it, since the close of a
 * file that is no store's asks it, too, and is to take little stack. */
static bool is_engines_on(const struct handle_entry *entry, const struct store *store)
{
    const uint32_t word = atomic_load(&entry->word);
    if (role_of(word) == ROLE_CANDIDATE)
        return store == NULL &&
               kind_tells_engine(atomic_load_explicit(&entry->facts, memory_order_relaxed));
    return is_of_store(role_of(word)) && kind_in(word) == KIND_ENGINE &&
           (store == NULL || store_numbered(word >> NUMBER_AT) == store);
}

int handle_of_engine(const struct store *store, struct identity file)
{
    if (store != NULL && handle_count_engine(store) == 0)
        return -1;
    for (int fd = handle_next(0, ~0u); fd >= 0; fd = handle_next((unsigned)fd + 1, ~0u)) {
        const struct handle_entry *entry = entry_of(fd, false);
        if (entry != NULL && identity_same(identity_in(entry), file) && is_engines_on(entry, store))
            return fd;
    }
    return -1;
}
