#include "track/handle.h"

#include "track/books.h"
#include "track/process.h"

static struct handle_books *const own = &BOOKS.handles;

enum { ROLE_BITS = 3 };

static struct handle_entry *entry_of(int fd, bool make_chunk)
{
    if ((unsigned)fd >= HANDLE_CHUNK * HANDLE_CHUNKS)
        return NULL;
    struct handle_entry *_Atomic *chunk = &own->chunks[(unsigned)fd / HANDLE_CHUNK];
    if (make_chunk)
        process_publish((void *_Atomic *)chunk, HANDLE_CHUNK * sizeof(struct handle_entry));
    struct handle_entry *entries = atomic_load(chunk);
    return entries == NULL ? NULL : &entries[(unsigned)fd % HANDLE_CHUNK];
}

static uint32_t word_of(struct handle h)
{
    uint32_t number = h.role == ROLE_CANDIDATE
                          ? (uint32_t)(identity_mix(h.identity) >> (32 + ROLE_BITS))
                          : store_number(h.store);
    return number << ROLE_BITS | (uint32_t)h.role;
}

static enum role role_of(uint32_t word)
{
    return (enum role)(word & ((1u << ROLE_BITS) - 1));
}

static struct identity identity_in(const struct handle_entry *entry)
{
    return (struct identity){atomic_load_explicit(&entry->dev, memory_order_relaxed),
                             atomic_load_explicit(&entry->ino, memory_order_relaxed)};
}

static struct handle unpack(uint32_t word, const struct handle_entry *entry)
{
    struct handle h = {.role = role_of(word), .store = NULL};
    if (h.role == ROLE_NONE)
        return h;
    if (h.role != ROLE_CANDIDATE) {
        h.store = store_numbered(word >> ROLE_BITS);
        if (h.store == NULL) /* a signal handler has forked, and this is the child */
            return (struct handle){.role = ROLE_NONE};
    }
    h.identity = identity_in(entry);
    return h;
}

static void count_in(struct store *store, enum role role)
{
    uint32_t flag = role == ROLE_PRIMARY ? STORE_OPENED : 0;
    uint32_t handles = atomic_load(&store->handles);
    atomic_fetch_add(&own->count, 1);
    while (!atomic_compare_exchange_weak(&store->handles, &handles, (handles + 1) | flag))
        ;
}

/* True if that was the last handle, as handle_take means it. */
static bool count_out(struct store *store)
{
    uint32_t handles = atomic_load(&store->handles);
    uint32_t left;
    bool last;
    atomic_fetch_sub(&own->count, 1);
    do {
        left = handles - 1;
        last = left == STORE_OPENED;
        if (last)
            left = 0;
    } while (!atomic_compare_exchange_weak(&store->handles, &handles, left));
    return last;
}

struct handle handle_get(int fd)
{
    struct handle_entry *entry = entry_of(fd, false);
    if (entry == NULL)
        return (struct handle){.role = ROLE_NONE};
    return unpack(atomic_load(&entry->word), entry);
}

/* Before the entry is filled, so that whoever learns of the descriptor finds it below the end. */
static void move_end_past(int fd)
{
    uint32_t end = atomic_load(&own->end);
    while (end <= (uint32_t)fd && !atomic_compare_exchange_weak(&own->end, &end, (uint32_t)fd + 1))
        ;
}

bool handle_put(int fd, struct handle h)
{
    struct handle_entry *entry = entry_of(fd, true);
    if (entry == NULL)
        return false;
    if (h.role != ROLE_CANDIDATE && !store_any())
        return false; /* a signal handler has forked, and this is the child */
    if (h.role != ROLE_CANDIDATE)
        count_in(h.store, h.role);
    move_end_past(fd);
    atomic_store_explicit(&entry->dev, h.identity.dev, memory_order_relaxed);
    atomic_store_explicit(&entry->ino, h.identity.ino, memory_order_relaxed);
    atomic_store(&entry->word, word_of(h));
    return true;
}

struct handle handle_take(int fd, bool *last)
{
    struct handle_entry *entry = entry_of(fd, false);
    *last = false;
    if (entry == NULL)
        return (struct handle){.role = ROLE_NONE};
    struct handle h = unpack(atomic_exchange(&entry->word, 0), entry);
    if (h.store != NULL)
        *last = count_out(h.store);
    return h;
}

bool handle_promote(int fd, struct store *store, struct identity primary)
{
    struct handle_entry *entry = entry_of(fd, false);
    if (entry == NULL)
        return false;
    uint32_t word = atomic_load(&entry->word);
    struct identity id = identity_in(entry);
    if (role_of(word) != ROLE_CANDIDATE || id.ino != primary.ino || id.dev != primary.dev)
        return false;
    /* Counted before it can be taken out by another thread. */
    store_retain(store);
    count_in(store, ROLE_PRIMARY);
    if (atomic_compare_exchange_strong(&entry->word, &word,
                                       word_of((struct handle){ROLE_PRIMARY, store, primary})))
        return true;
    count_out(store);
    store_release(store);
    return false;
}

int handle_next(unsigned first, unsigned last)
{
    const unsigned all = HANDLE_CHUNK * HANDLE_CHUNKS;
    for (unsigned fd = first; fd < all && fd <= last; fd++) {
        struct handle_entry *chunk = atomic_load(&own->chunks[fd / HANDLE_CHUNK]);
        if (chunk == NULL)
            fd |= HANDLE_CHUNK - 1; /* on to the next chunk */
        else if (atomic_load(&chunk[fd % HANDLE_CHUNK].word) != 0)
            return (int)fd;
    }
    return -1;
}

uint32_t handle_count(void)
{
    return atomic_load(&own->count);
}
