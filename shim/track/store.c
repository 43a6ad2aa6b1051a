#include "track/store.h"

#include "base/sys.h"
#include "base/text.h"
#include "config/rules.h"
#include "helper/seccomp.h"

#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>

enum {
    STORES = 32768, /* records; a power of two */
    WINDOW = 32,    /* places where a store may lie from its hash on */
    NAMES_SIZE = 8 * 1024 * 1024,
};
static const uint32_t STORE_CLAIMED = UINT32_MAX;

struct store_memory store_memory __attribute__((aligned(128))) SYS_SELDOM_TOUCHED;
#define root (store_memory.root)

/* In glibc before 2.34 only where libpthread is loaded. */
extern int pthread_getcpuclockid(pthread_t thread, clockid_t *clock) __attribute__((weak));
extern pthread_t pthread_self(void) __attribute__((weak));

static void *fresh_pages(size_t size)
{
    void *pages = sys_mmap(size);
    if (pages != NULL && sys_madvise(pages, size, MADV_WIPEONFORK) < 0) {
        sys_munmap(pages, size);
        pages = NULL;
    }
    return pages;
}

bool store_start(void)
{
    char *first = (char *)((uintptr_t)&root & ~(uintptr_t)(STORE_PAGE - 1));
    char *end = (char *)&root + sizeof root;
    size_t size = ((size_t)(end - first) + STORE_PAGE - 1) & ~(size_t)(STORE_PAGE - 1);
    if (sys_madvise(first, size, MADV_WIPEONFORK) < 0)
        return false;
    atomic_store(&root.home, sys_getpid());
    return true;
}

/* What libc tells the kernel for each of its threads, fork children included: where to clear their
 * number at their end. A vfork child has no such place (clone(2), CLONE_CHILD_CLEARTID). The kernel
 * answers where it was built for checkpoints (CONFIG_CHECKPOINT_RESTORE), as those of distributions
 * are. */
static bool has_tid_address(void)
{
    void *address = NULL;
    return sys_call(SYS_prctl, PR_GET_TID_ADDRESS, (long)&address, 0, 0, 0, 0) == 0 &&
           address != NULL;
}

/* Libc keeps the thread's number, and corrects it in a fork child; a vfork child has that of its
 * parent. A thread's clock is made of it (CPUCLOCK_PID in the kernel's posix-timers.h). */
static bool libc_knows_this_thread(void)
{
    clockid_t clock;
    if (pthread_getcpuclockid == NULL || pthread_getcpuclockid(pthread_self(), &clock) != 0)
        return has_tid_address();
    return ~(clock >> 3) == sys_gettid();
}

/* The tables of a fork child are empty and nobody's, and a vfork child of it must not take them.
 * Its pid does not tell it apart. Where a filter may kill for the question, whoever comes first
 * moves in. */
static bool may_move_in(void)
{
    return filter_may_kill() || libc_knows_this_thread();
}

bool store_at_home(void)
{
    int pid = sys_getpid();
    int home = atomic_load(&root.home);
    if (home == 0 && may_move_in() && atomic_compare_exchange_strong(&root.home, &home, pid))
        return true;
    return home == pid;
}

int store_home(void)
{
    return atomic_load(&root.home);
}

/* Of two threads that try, one's pages stay. */
bool store_publish(void *_Atomic *pointer, size_t size)
{
    if (atomic_load(pointer) != NULL)
        return true;
    void *pages = fresh_pages(size);
    void *none = NULL;
    if (pages == NULL)
        return atomic_load(pointer) != NULL;
    if (!atomic_compare_exchange_strong(pointer, &none, pages))
        sys_munmap(pages, size);
    return true;
}

/* --- stores --- */

/* The upper bits are the good ones. */
static uint64_t mix(struct identity id)
{
    return (id.ino + 0x9e3779b97f4a7c15u * (id.dev + 1)) * 0xff51afd7ed558ccdu;
}

static uint32_t hash(struct identity id)
{
    return (uint32_t)(mix(id) >> 40) & (STORES - 1);
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
        char *names = atomic_load(&root.names);
        uint32_t at = atomic_fetch_add(&root.names_used, room);
        if (at > NAMES_SIZE - room) {
            atomic_fetch_sub(&root.names_used, room);
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
    return store_publish((void *_Atomic *)&root.stores, STORES * sizeof(struct store)) &&
           store_publish((void *_Atomic *)&root.names, NAMES_SIZE);
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
        if (atomic_compare_exchange_strong(&root.maker, &maker, self))
            return true;
        if (maker == self)
            return false;
        uint64_t now = sys_now();
        if (maker != seen) {
            seen = maker;
            since = now;
        } else if (now - since > patience) {
            return atomic_compare_exchange_strong(&root.maker, &maker, self);
        }
        sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    }
}

static void end_turn(int self)
{
    atomic_compare_exchange_strong(&root.maker, &self, 0);
}

struct store *store_acquire(struct identity id, const struct profile *profile, const char *path)
{
    if (!store_reserve())
        return NULL;
    struct store *stores = atomic_load(&root.stores);
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
    struct store *stores = atomic_load(&root.stores);
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
    return atomic_load(&root.stores) != NULL;
}

uint32_t store_handles_open(void)
{
    return atomic_load(&root.handles);
}

/* --- descriptors --- */

enum { ROLE_BITS = 3 };

static struct handle_entry *entry_of(int fd, bool make_chunk)
{
    if ((unsigned)fd >= HANDLE_CHUNK * HANDLE_CHUNKS)
        return NULL;
    struct handle_entry *_Atomic *chunk = &root.chunks[(unsigned)fd / HANDLE_CHUNK];
    if (make_chunk)
        store_publish((void *_Atomic *)chunk, HANDLE_CHUNK * sizeof(struct handle_entry));
    struct handle_entry *entries = atomic_load(chunk);
    return entries == NULL ? NULL : &entries[(unsigned)fd % HANDLE_CHUNK];
}

static uint32_t word_of(struct handle h)
{
    uint32_t number = h.role == ROLE_CANDIDATE ? (uint32_t)(mix(h.identity) >> (32 + ROLE_BITS))
                                               : (uint32_t)(h.store - atomic_load(&root.stores));
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
        struct store *stores = atomic_load(&root.stores);
        if (stores == NULL) /* a signal handler has forked, and this is the child */
            return (struct handle){.role = ROLE_NONE};
        h.store = stores + (word >> ROLE_BITS);
    }
    h.identity = identity_in(entry);
    return h;
}

static void count_in(struct store *store, enum role role)
{
    uint32_t flag = role == ROLE_PRIMARY ? STORE_OPENED : 0;
    uint32_t handles = atomic_load(&store->handles);
    atomic_fetch_add(&root.handles, 1);
    while (!atomic_compare_exchange_weak(&store->handles, &handles, (handles + 1) | flag))
        ;
}

/* True if that was the last handle, as handle_take means it. */
static bool count_out(struct store *store)
{
    uint32_t handles = atomic_load(&store->handles);
    uint32_t left;
    bool last;
    atomic_fetch_sub(&root.handles, 1);
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
    uint32_t end = atomic_load(&root.end);
    while (end <= (uint32_t)fd && !atomic_compare_exchange_weak(&root.end, &end, (uint32_t)fd + 1))
        ;
}

bool handle_put(int fd, struct handle h)
{
    struct handle_entry *entry = entry_of(fd, true);
    if (entry == NULL)
        return false;
    if (h.role != ROLE_CANDIDATE && atomic_load(&root.stores) == NULL)
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
        struct handle_entry *chunk = atomic_load(&root.chunks[fd / HANDLE_CHUNK]);
        if (chunk == NULL)
            fd |= HANDLE_CHUNK - 1; /* on to the next chunk */
        else if (atomic_load(&chunk[fd % HANDLE_CHUNK].word) != 0)
            return (int)fd;
    }
    return -1;
}
