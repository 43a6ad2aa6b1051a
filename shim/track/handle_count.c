#include "track/handle_count.h"

#include "base/clock.h"
#include "base/sys.h"
#include "track/books.h"
#include "track/seen.h"

static struct handle_books *const own = &BOOKS.handles;

/* Each kind has its place in one word, wide enough for a table that is full of handles on one
 * store.
 */
enum { COUNT_BITS = 20 };
_Static_assert(HANDLE_CHUNK *HANDLE_CHUNKS <= 1 << COUNT_BITS, "0 to 2 are seldom handles");

static uint64_t one(enum kind kind)
{
    return 1ull << ((unsigned)kind * COUNT_BITS);
}

static uint32_t number_of(uint64_t handles, enum kind kind)
{
    return (uint32_t)(handles >> ((unsigned)kind * COUNT_BITS)) & ((1u << COUNT_BITS) - 1);
}

uint32_t handle_count_engine(const struct store *store)
{
    return number_of(atomic_load(&store->handles), KIND_ENGINE);
}

uint32_t handle_count_of(const struct store *store)
{
    uint64_t handles = atomic_load(&store->handles);
    return number_of(handles, KIND_READER) + number_of(handles, KIND_PRESUMED) +
           number_of(handles, KIND_ENGINE);
}

/* Whether a handle of that kind counts for closes, in a store whose count is this. */
static bool counts(const struct store *store, uint64_t handles, enum kind kind)
{
    return kind == KIND_ENGINE || (kind == KIND_PRESUMED && ((handles & STORE_ENGINE) == 0 ||
                                                             store_profile(store)->by_directory));
}

/* What a use of the store goes by: connections come and go with the handles of the engine on the
 * primary. Its sidecars do with each transaction. */
static void connected(struct store *store)
{
    atomic_fetch_add(&store->opens, 1);
    atomic_store(&store->fell, 0);
}

static void disconnected(struct store *store)
{
    atomic_store(&store->fell, clock_now());
}

void handle_count_in(struct store *store, enum role role, enum kind kind)
{
    uint64_t handles = atomic_load(&store->handles);
    uint64_t now;
    if (kind != KIND_READER)
        atomic_fetch_add(&own->count, 1);
    do {
        now = handles + one(kind);
        if (kind == KIND_ENGINE)
            now |= STORE_ENGINE;
        if (role == ROLE_PRIMARY && counts(store, now, kind))
            now |= STORE_OPENED;
    } while (!atomic_compare_exchange_weak(&store->handles, &handles, now));
    if (kind != KIND_ENGINE)
        return;
    if ((handles & STORE_ENGINE) == 0) {
        handle_know_readers(HANDLE_NEAR);
        seen_add(store);
    }
    if (role == ROLE_PRIMARY)
        connected(store);
}

bool handle_count_out(struct store *store, enum role role, enum kind kind)
{
    uint64_t handles = atomic_load(&store->handles);
    uint64_t left;
    bool last;
    if (kind != KIND_READER)
        atomic_fetch_sub(&own->count, 1);
    do {
        left = handles - one(kind);
        bool others = number_of(left, KIND_ENGINE) > 0 ||
                      (counts(store, left, KIND_PRESUMED) && number_of(left, KIND_PRESUMED) > 0);
        last = counts(store, handles, kind) && !others && (left & STORE_OPENED) != 0;
        if (last)
            left &= ~STORE_OPENED;
    } while (!atomic_compare_exchange_weak(&store->handles, &handles, left));
    if (role == ROLE_PRIMARY && kind == KIND_ENGINE)
        disconnected(store);
    return last;
}

SYS_AT_START uint32_t handle_count(void)
{
    return atomic_load(&own->count);
}
