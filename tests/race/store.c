/* The registry of stores and the table of descriptors under many threads. */
#include "track/books.h"
#include "track/possible.h"

#include "race.h"

#include <string.h>

enum { NUMBERS = 8, STORES = 3, CHUNKS = 200 };

static struct identity id(uint64_t ino)
{
    return (struct identity){.dev = ino * 3, .ino = ino};
}

/* A store whose path tells which it is. */
static struct store *acquire(uint64_t ino)
{
    char path[64];
    snprintf(path, sizeof path, "/%u/chroma.sqlite3", (unsigned)ino);
    struct store *s = store_acquire(id(ino), &profiles[0], path);
    CHECK(s != NULL);
    return s;
}

static bool is_of(struct store *s, uint64_t ino)
{
    char path[64];
    snprintf(path, sizeof path, "/%u/chroma.sqlite3", (unsigned)ino);
    return atomic_load(&s->ino) == ino && atomic_load(&s->dev) == ino * 3 &&
           strcmp(atomic_load(&s->path), path) == 0;
}

static void put(int fd, uint64_t ino)
{
    CHECK(handle_put(fd, (struct handle){.role = ROLE_PRIMARY,
                                         .store = acquire(ino),
                                         .identity = id(ino),
                                         .facts = FACT_WRITES}));
}

/* --- one last handle --- */

static _Atomic unsigned lasts;

/* Each round all racers open a descriptor of the same store and close it at the same time. */
static void *close_one_each(void *number)
{
    int fd = 10 + *(int *)number;
    for (unsigned round = 1; meet(); round++) {
        bool last;
        put(fd, 1);
        meet();
        struct handle h = handle_take(fd, &last);
        CHECK(h.role == ROLE_PRIMARY && is_of(h.store, 1));
        store_release(h.store);
        atomic_fetch_add(&lasts, last);
        meet();
        CHECK(atomic_load(&lasts) == round && handle_count() == 0);
    }
    return NULL;
}

/* Each round one opens a descriptor and all close it. */
static void *close_the_same(void *number)
{
    for (unsigned round = 1; meet(); round++) {
        bool last;
        if (*(int *)number == 0)
            put(10, 1);
        meet();
        struct handle h = handle_take(10, &last);
        if (h.role != ROLE_NONE)
            store_release(h.store);
        atomic_fetch_add(&lasts, last);
        meet();
        CHECK(atomic_load(&lasts) == round && handle_count() == 0);
    }
    return NULL;
}

/* --- numbers that are used again --- */

/* Opens, copies and closes descriptors in no order, each thread its own numbers. */
static void *open_copy_and_close(void *number)
{
    uint64_t state = *(unsigned *)number;
    int first = 100 + NUMBERS * *(int *)number;
    while (going_on()) {
        bool last;
        int fd = first + (int)dice(&state, NUMBERS);
        int other = first + (int)dice(&state, NUMBERS);
        struct handle h = handle_take(fd, &last);
        if (h.role != ROLE_NONE) {
            CHECK(is_of(h.store, h.identity.ino));
            store_release(h.store);
        } else if ((h = handle_get(other)).role != ROLE_NONE && fd != other) {
            store_retain(h.store);
            CHECK(handle_put(fd, h));
        } else {
            put(fd, 1 + dice(&state, STORES));
        }
    }
    for (int fd = first; fd < first + NUMBERS; fd++) {
        bool last;
        struct handle h = handle_take(fd, &last);
        if (h.role != ROLE_NONE)
            store_release(h.store);
    }
    return NULL;
}

static _Atomic bool ended;

/* What fcloseall and the search for candidates do: read all entries, whoever's they are. */
static void *read_all(void *unused)
{
    while (!atomic_load(&ended))
        for (int fd = handle_next(0, ~0u); fd >= 0; fd = handle_next((unsigned)fd + 1, ~0u)) {
            struct handle h = handle_get(fd);
            CHECK(h.role == ROLE_NONE || (h.identity.ino > 0 && h.identity.ino <= STORES));
        }
    return unused;
}

/* Turns every descriptor that is a candidate for a store into a handle on it. */
static void *promote_all(void *unused)
{
    uint64_t state = 0;
    while (!atomic_load(&ended)) {
        uint64_t ino = 1 + dice(&state, STORES);
        struct store *s = acquire(ino);
        for (int fd = handle_next(0, ~0u); fd >= 0; fd = handle_next((unsigned)fd + 1, ~0u))
            handle_promote(fd, s, id(ino));
        store_release(s);
    }
    return unused;
}

/* Opens and closes files that may become databases, always with the same number. */
static void *open_and_close_candidates(void *number)
{
    uint64_t state = *(unsigned *)number;
    int fd = 100 + *(int *)number;
    while (going_on()) {
        bool last;
        uint64_t ino = 1 + dice(&state, STORES);
        CHECK(handle_put(fd, (struct handle){.role = ROLE_CANDIDATE,
                                             .store = NULL,
                                             .identity = id(ino),
                                             .facts = FACT_WRITES}));
        /* often the very moment at which it is promoted */
        for (unsigned i = dice(&state, 50); i > 0 && handle_get(fd).role == ROLE_CANDIDATE; i--)
            ;
        struct handle h = handle_take(fd, &last);
        CHECK(h.identity.ino == ino && h.identity.dev == ino * 3);
        if (h.role != ROLE_CANDIDATE) {
            CHECK(h.role == ROLE_PRIMARY && is_of(h.store, ino));
            CHECK(handle_count_of(h.store) <= RACERS); /* not below 0 */
            store_release(h.store);
        }
    }
    return NULL;
}

/* Lets the racers do the one, and one more thread the other until they have ended. */
static void race_against(void *(*body)(void *number), void *(*other)(void *unused))
{
    pthread_t thread;
    atomic_store(&ended, false);
    CHECK(pthread_create(&thread, NULL, other, NULL) == 0);
    race(body);
    atomic_store(&ended, true);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(handle_next(0, ~0u) == -1 && handle_count() == 0);
    for (uint64_t ino = 1; ino <= STORES; ino++) {
        struct store *s = acquire(ino);
        CHECK(atomic_load(&s->handles) == 0 && atomic_load(&s->pins) == 1);
        store_release(s);
    }
}

/* --- records that change hands --- */

static struct store *_Atomic got[RACERS];

/* Each round is about a store that nobody has, so one of the racers makes its record. */
static void *acquire_the_same(void *number)
{
    for (unsigned round = 0; meet(); round++) {
        struct store *s = acquire(100 + round);
        atomic_store(&got[*(unsigned *)number], s);
        meet();
        CHECK(atomic_load(&got[0]) == s && is_of(s, 100 + round));
        store_release(s);
    }
    return NULL;
}

/* Stores that would all have the same record, if they did not come at the same time. */
static uint64_t rivals[STORES];

static void find_rivals(void)
{
    struct store *first = NULL;
    unsigned found = 0;
    for (uint64_t ino = 1; found < STORES; ino++) {
        struct store *s = acquire(ino);
        store_release(s);
        if (first == NULL)
            first = s;
        if (s == first)
            rivals[found++] = ino;
    }
}

/* Few stores, so that records are emptied and made again all the time. */
static void *come_and_go(void *number)
{
    uint64_t state = *(unsigned *)number;
    while (going_on()) {
        uint64_t ino = rivals[dice(&state, STORES)];
        struct store *s = acquire(ino);
        CHECK(is_of(s, ino));
        store_retain(s);
        store_release(s);
        CHECK(is_of(s, ino));
        store_release(s);
    }
    return NULL;
}

/* --- a table that grows --- */

static void *open_in_new_chunks(void *number)
{
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
        int fd = chunk * HANDLE_CHUNK + *(int *)number;
        meet();
        put(fd, 1);
    }
    return NULL;
}

static void all_chunks_are_there(void)
{
    for (int chunk = 0; chunk < CHUNKS; chunk++)
        for (int number = 0; number < RACERS; number++)
            CHECK(handle_get(chunk * HANDLE_CHUNK + number).role == ROLE_PRIMARY);
    CHECK(handle_count() == RACERS * CHUNKS);
}

int main(void)
{
    CHECK(books_start());
    race(close_one_each);
    atomic_store(&lasts, 0);
    race(close_the_same);
    race_against(open_copy_and_close, read_all);
    race_against(open_and_close_candidates, promote_all);
    race(acquire_the_same);
    find_rivals();
    race(come_and_go);
    race(open_in_new_chunks);
    all_chunks_are_there();
    return 0;
}
