/* The registry of stores and the table of descriptors: records that are made, pinned, used again,
 * as many as ten thousand; handles that come and go. */
#include "track/books.h"
#include "track/possible.h"

#include "unit.h"

#include <pthread.h>

static void begin(void)
{
    cr_assert(books_start());
}

TestSuite(store, .init = begin, .timeout = 60);

static struct identity id(uint64_t ino)
{
    return (struct identity){.dev = 7, .ino = ino};
}

static struct store *acquire(uint64_t ino)
{
    struct store *s = store_acquire(id(ino), &profiles[0], "/s/chroma.sqlite3");
    cr_assert_not_null(s);
    return s;
}

static void put(int fd, enum role role, struct store *s)
{
    cr_assert(handle_put(fd, (struct handle){.role = role,
                                             .store = s,
                                             .identity = id(1000u + (unsigned)fd),
                                             .facts = FACT_WRITES}));
}

/* True if that was the last. */
static bool take(int fd)
{
    bool last;
    struct handle h = handle_take(fd, &last);
    cr_assert_neq(h.role, ROLE_NONE, "descriptor %d is not tracked", fd);
    return last;
}

/* --- records --- */

Test(store, the_same_primary_is_the_same_record)
{
    struct store *s = acquire(1);
    cr_expect_eq(acquire(1), s);
    cr_expect_eq(atomic_load(&s->pins), 2u);
    cr_expect_neq(acquire(2), s);
}

Test(store, a_file_of_the_same_number_on_another_device_is_another_store)
{
    struct store *s = acquire(1);
    for (uint64_t dev = 100; dev < 20000; dev++) { /* so many that some lie close to it */
        struct store *other =
            store_acquire((struct identity){dev, 1}, &profiles[0], "/t/chroma.sqlite3");
        cr_assert_neq(other, s);
        store_release(other);
    }
}

Test(store, a_record_says_what_it_was_made_with)
{
    struct store *s = store_acquire(id(1), &profiles[1], "/d/x.db");
    cr_expect_str_eq(atomic_load(&s->path), "/d/x.db");
    cr_expect_eq(atomic_load(&s->profile), &profiles[1]);
    cr_expect_eq(atomic_load(&s->dev), 7u);
    cr_expect_eq(atomic_load(&s->ino), 1u);
    cr_expect_eq(atomic_load(&s->handles), 0u);
}

Test(store, many_stores_have_a_record_each)
{
    static struct store *made[1000];
    for (unsigned i = 0; i < 1000; i++)
        made[i] = acquire(i);
    for (unsigned i = 0; i < 1000; i++) {
        cr_expect_eq(atomic_load(&made[i]->ino), i);
        cr_expect_eq(acquire(i), made[i]);
    }
}

/* Numbers are what the table of descriptors keeps. */
Test(store, records_of_ten_thousand_stores_have_a_number_each_and_a_name)
{
    enum { MANY = 10000 };
    static struct store *made[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        char path[32];
        snprintf(path, sizeof path, "/s/%u", i);
        made[i] = store_acquire(id(i), &profiles[0], path);
        cr_assert_not_null(made[i]);
    }
    for (unsigned i = 0; i < MANY; i++) {
        char path[32];
        snprintf(path, sizeof path, "/s/%u", i);
        cr_assert_eq(store_numbered(store_number(made[i])), made[i]);
        cr_assert_str_eq(atomic_load(&made[i]->path), path);
        cr_assert_eq(store_find(id(i)), made[i]);
    }
}

static size_t bytes_of_the_registry(void)
{
    size_t bytes = 0;
    for (int k = 0; k < STORE_LEVELS; k++)
        bytes += atomic_load(&BOOKS.stores.levels[k]) == NULL
                     ? 0
                     : (256u << 2 * k) * sizeof(struct store);
    for (int k = 0; k < STORE_ARENAS; k++)
        bytes += atomic_load(&BOOKS.stores.arenas[k]) == NULL ? 0 : 32768u << k;
    return bytes;
}

/* All of it may be locked in memory (mlockall). */
Test(store, the_registry_is_as_large_as_what_is_in_it)
{
    acquire(1);
    cr_expect_leq(bytes_of_the_registry(), 100u << 10);
    for (unsigned i = 2; i <= 10000; i++) {
        acquire(i);
        cr_assert(store_reserve());
    }
    cr_expect_leq(bytes_of_the_registry(), 4u << 20);
}

Test(store, a_record_without_pins_is_used_again_and_remembers_nothing)
{
    char path[600];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    struct store *s = store_acquire(id(1), &profiles[0], path);
    put(5, ROLE_PRIMARY, s);
    take(5);
    store_release(s);
    struct store *again = NULL;
    uint64_t ino = 1;
    while (again != s) { /* another store that happens to get the same record */
        again = store_acquire(id(++ino), &profiles[1], "/short");
        cr_assert_not_null(again);
        store_release(again);
    }
    cr_expect_eq(atomic_load(&s->ino), ino);
    cr_expect_eq(atomic_load(&s->profile), &profiles[1]);
    cr_expect_str_eq(atomic_load(&s->path), "/short");
    cr_expect_eq(atomic_load(&s->handles), 0u);
}

Test(store, a_pinned_record_is_not_used_again)
{
    struct store *kept = acquire(0);
    for (uint64_t ino = 1; ino <= 100000; ino++) {
        struct store *s = acquire(ino);
        cr_assert_neq(s, kept);
        store_release(s);
    }
    cr_expect_eq(atomic_load(&kept->ino), 0u);
}

Test(store, stores_that_come_and_go_never_fill_the_registry)
{
    for (uint64_t ino = 0; ino < 500000; ino++)
        store_release(acquire(ino));
}

Test(store, a_full_registry_refuses_and_goes_on_once_there_is_room)
{
    struct store *last = NULL;
    struct store *s;
    uint64_t ino = 0;
    while ((s = store_acquire(id(ino), &profiles[0], "/s")) != NULL) {
        last = s;
        ino++;
    }
    cr_expect_geq(ino, 1000u);
    cr_expect_not_null(last);
    cr_expect_eq(acquire(0)->pins, 2u, "those that are there are found");
}

static _Atomic enum { BEFORE, MAKING, MADE } stage;

static void *make_slowly(void *unused)
{
    atomic_store(&BOOKS.stores.maker, gettid());
    atomic_store(&stage, MAKING);
    usleep(30000);
    atomic_store(&stage, MADE);
    atomic_store(&BOOKS.stores.maker, 0);
    return unused;
}

Test(store, a_thread_that_is_slow_to_make_a_record_is_waited_for)
{
    pthread_t thread;
    pthread_create(&thread, NULL, make_slowly, NULL);
    while (atomic_load(&stage) == BEFORE)
        sched_yield();
    acquire(1);
    cr_expect_eq(atomic_load(&stage), MADE);
    pthread_join(thread, NULL);
}

Test(store, a_turn_that_is_never_ended_is_taken_after_a_while)
{
    atomic_store(&BOOKS.stores.maker, 1); /* no thread of this process */
    acquire(1);
    cr_expect_eq(atomic_load(&BOOKS.stores.maker), 0, "it costs one wait, not one each time");
}

Test(store, a_signal_handler_does_not_wait_for_the_thread_that_it_interrupted)
{
    atomic_store(&BOOKS.stores.maker, gettid());
    acquire(1);
    cr_expect_eq(atomic_load(&BOOKS.stores.maker), gettid(), "it neither took nor ended it");
}

/* --- handles --- */

Test(store, a_descriptor_is_what_was_put_until_it_is_taken)
{
    struct store *s = acquire(1);
    bool last;
    cr_expect_not(handle_possible(3));
    cr_expect_eq(handle_get(3).role, ROLE_NONE);
    put(3, ROLE_SIDECAR, s);
    cr_expect(handle_possible(3));
    cr_expect_eq(handle_get(3).role, ROLE_SIDECAR);
    cr_expect_eq(handle_get(3).store, s);
    cr_expect_eq(handle_get(3).identity.dev, 7u);
    cr_expect_eq(handle_get(3).identity.ino, 1003u);
    cr_expect_eq(handle_count(), 1u);
    cr_expect_eq(handle_take(3, &last).store, s);
    cr_expect_not(handle_possible(3));
    cr_expect_eq(handle_take(3, &last).role, ROLE_NONE);
    cr_expect_not(last);
    cr_expect_eq(handle_count(), 0u);
}

Test(store, a_close_that_leaves_handles_open_is_not_the_last)
{
    struct store *s = acquire(1);
    put(3, ROLE_PRIMARY, s);
    put(4, ROLE_PRIMARY, s);
    put(5, ROLE_SIDECAR, s);
    cr_expect_not(take(3));
    cr_expect_not(take(5));
    cr_expect(take(4));
}

Test(store, the_last_handle_may_be_one_on_another_file_than_the_primary)
{
    struct store *s = acquire(1);
    put(3, ROLE_PRIMARY, s);
    put(4, ROLE_SECONDARY, s);
    cr_expect_not(take(3));
    cr_expect(take(4));
}

Test(store, without_a_handle_on_the_primary_there_is_no_last)
{
    struct store *s = acquire(1);
    put(3, ROLE_PRIMARY, s);
    cr_expect(take(3));
    put(4, ROLE_SECONDARY, s);
    put(5, ROLE_SIDECAR, s);
    cr_expect_not(take(5));
    cr_expect_not(take(4), "index files come and go while the store is closed");
}

Test(store, each_store_has_a_last_handle_of_its_own)
{
    struct store *a = acquire(1);
    struct store *b = acquire(2);
    put(3, ROLE_PRIMARY, a);
    put(4, ROLE_PRIMARY, b);
    cr_expect_eq(handle_count(), 2u);
    cr_expect(take(3));
    cr_expect(take(4));
}

Test(store, a_candidate_is_no_handle_yet)
{
    bool last;
    cr_expect(handle_put(
        3, (struct handle){
               .role = ROLE_CANDIDATE, .store = NULL, .identity = id(5), .facts = FACT_WRITES}));
    cr_expect(handle_possible(3));
    cr_expect_eq(handle_count(), 0u);
    struct handle h = handle_take(3, &last);
    cr_expect_eq(h.role, ROLE_CANDIDATE);
    cr_expect_null(h.store);
    cr_expect_eq(h.identity.ino, 5u);
    cr_expect_not(last);
}

Test(store, a_candidate_that_is_promoted_is_a_handle_on_the_primary)
{
    struct store *s = acquire(5);
    cr_expect(handle_put(
        3, (struct handle){
               .role = ROLE_CANDIDATE, .store = NULL, .identity = id(5), .facts = FACT_WRITES}));
    cr_expect(handle_promote(3, s, id(5)));
    cr_expect_eq(handle_get(3).role, ROLE_PRIMARY);
    cr_expect_eq(handle_get(3).store, s);
    cr_expect_eq(handle_get(3).identity.ino, 5u);
    cr_expect_eq(handle_count(), 1u);
    cr_expect_eq(atomic_load(&s->pins), 2u, "it has a pin of its own");
    cr_expect(take(3));
}

Test(store, what_is_no_candidate_for_the_store_is_not_promoted)
{
    struct store *s = acquire(5);
    cr_expect(handle_put(
        3, (struct handle){
               .role = ROLE_CANDIDATE, .store = NULL, .identity = id(6), .facts = FACT_WRITES}));
    put(4, ROLE_SIDECAR, s);
    cr_expect_not(handle_promote(3, s, id(5)));
    cr_expect_not(handle_promote(3, s, (struct identity){8, 6}));
    cr_expect_not(handle_promote(4, s, id(1004)));
    cr_expect_not(handle_promote(5, s, id(5)));
    cr_expect_not(handle_promote(-1, s, id(5)));
    cr_expect_eq(handle_get(3).role, ROLE_CANDIDATE);
    cr_expect_eq(handle_get(4).role, ROLE_SIDECAR);
    cr_expect_not(handle_possible(5));
    cr_expect_eq(handle_count(), 1u);
    cr_expect_eq(atomic_load(&s->pins), 1u);
}

Test(store, a_descriptor_is_found_whatever_numbers_were_tracked_before_it)
{
    static const int numbers[] = {3, HANDLE_CHUNK * HANDLE_CHUNKS - 1, HANDLE_CHUNK + 1, 0};
    struct store *s = acquire(1);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        cr_expect_not(handle_possible(numbers[i]), "%d", numbers[i]);
        put(numbers[i], ROLE_SIDECAR, s);
        for (size_t k = 0; k <= i; k++)
            cr_expect(handle_possible(numbers[k]), "%d after %d", numbers[k], numbers[i]);
    }
}

Test(store, numbers_outside_of_the_table_are_untracked)
{
    static const int outside[] = {-1, INT_MIN, HANDLE_CHUNK * HANDLE_CHUNKS, INT_MAX};
    struct store *s = acquire(1);
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        bool last = true;
        cr_expect_not(handle_possible(outside[i]));
        cr_expect_not(handle_put(outside[i], (struct handle){.role = ROLE_PRIMARY,
                                                             .store = s,
                                                             .identity = id(1),
                                                             .facts = FACT_WRITES}));
        cr_expect_eq(handle_get(outside[i]).role, ROLE_NONE);
        cr_expect_eq(handle_take(outside[i], &last).role, ROLE_NONE);
        cr_expect_not(last);
    }
    cr_expect_eq(handle_count(), 0u);
}

Test(store, the_tracked_descriptors_of_a_range_are_found_in_order)
{
    enum { TOP = HANDLE_CHUNK * HANDLE_CHUNKS - 1 };
    struct store *s = acquire(1);
    cr_expect_eq(handle_next(0, ~0u), -1);
    put(3, ROLE_PRIMARY, s);
    put(HANDLE_CHUNK - 1, ROLE_PRIMARY, s);
    put(5 * HANDLE_CHUNK, ROLE_PRIMARY, s);
    put(TOP, ROLE_PRIMARY, s);
    cr_expect_eq(handle_next(0, ~0u), 3);
    cr_expect_eq(handle_next(3, 3), 3);
    cr_expect_eq(handle_next(4, HANDLE_CHUNK - 2), -1);
    cr_expect_eq(handle_next(4, ~0u), HANDLE_CHUNK - 1);
    cr_expect_eq(handle_next(HANDLE_CHUNK, 5 * HANDLE_CHUNK - 1), -1);
    cr_expect_eq(handle_next(HANDLE_CHUNK, ~0u), 5 * HANDLE_CHUNK);
    cr_expect_eq(handle_next(5 * HANDLE_CHUNK + 1, ~0u), TOP);
    cr_expect_eq(handle_next(TOP + 1u, ~0u), -1);
    cr_expect_eq(handle_next(9, 5), -1);
}

Test(store, a_descriptor_that_was_taken_out_is_passed_over_and_found_when_it_is_back)
{
    struct store *s = acquire(1);
    bool last;
    for (int fd = 62; fd <= 65; fd++)
        put(fd, ROLE_PRIMARY, s);
    handle_take(63, &last);
    handle_take(64, &last);
    cr_expect_eq(handle_next(0, ~0u), 62);
    cr_expect_eq(handle_next(63, ~0u), 65);
    cr_expect_eq(handle_next(63, 64), -1);
    put(64, ROLE_PRIMARY, s);
    cr_expect_eq(handle_next(63, ~0u), 64);
    cr_expect_eq(handle_next(66, ~0u), -1);
}

/* --- other processes --- */

static int child_starts_empty(void)
{
    if (!process_at_home() || handle_count() != 0 || handle_possible(3) ||
        handle_next(0, ~0u) != -1)
        return 1;
    /* and has a registry of its own */
    bool last;
    struct store *s = store_acquire(id(1), &profiles[0], "/s");
    if (s == NULL || atomic_load(&s->pins) != 1)
        return 2;
    handle_put(4, (struct handle){
                      .role = ROLE_PRIMARY, .store = s, .identity = id(1), .facts = FACT_WRITES});
    handle_take(4, &last);
    return last ? 0 : 3;
}

Test(store, a_fork_child_starts_with_nothing_and_changes_nothing_of_its_parent)
{
    struct store *s = acquire(1);
    put(3, ROLE_PRIMARY, s);
    cr_expect_eq(in_child(child_starts_empty), 0);
    cr_expect(process_at_home());
    cr_expect_eq(handle_count(), 1u);
    cr_expect_eq(handle_get(3).store, s);
    cr_expect(take(3));
}

Test(store, a_vfork_child_is_not_at_home)
{
    cr_expect_not(in_vfork_child(process_at_home));
    cr_expect(process_at_home());
}

/* --- threads --- */

enum { RACERS = 4, ROUNDS = 5000 };

/* Runs body in RACERS threads; `number` tells them apart. */
static void race(void *(*body)(void *number))
{
    static int numbers[RACERS];
    pthread_t threads[RACERS];
    for (int i = 0; i < RACERS; i++) {
        numbers[i] = i;
        cr_assert_eq(pthread_create(&threads[i], NULL, body, &numbers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
}

/* All racers leave it together: spins, so that they are as close as can be. */
static void meet(void)
{
    static _Atomic unsigned arrived;
    unsigned all_here = (atomic_fetch_add(&arrived, 1) / RACERS + 1) * RACERS;
    while ((int)(atomic_load(&arrived) - all_here) < 0)
        sched_yield();
}

static _Atomic unsigned failures;
static _Atomic unsigned count;

static void fails_unless(bool right)
{
    if (!right)
        atomic_fetch_add(&failures, 1);
}

static void *close_one_each(void *number)
{
    int fd = 10 + *(int *)number;
    for (unsigned round = 0; round < ROUNDS; round++) {
        bool last;
        struct store *s = store_acquire(id(1), &profiles[0], "/s");
        handle_put(fd,
                   (struct handle){
                       .role = ROLE_PRIMARY, .store = s, .identity = id(1), .facts = FACT_WRITES});
        atomic_store(&count, 0);
        meet();
        store_release(handle_take(fd, &last).store);
        atomic_fetch_add(&count, last);
        meet();
        fails_unless(atomic_load(&count) == 1 && handle_count() == 0);
        meet();
    }
    return NULL;
}

Test(store, of_threads_that_close_at_the_same_time_one_is_the_last)
{
    acquire(1);
    race(close_one_each);
    cr_expect_eq(atomic_load(&failures), 0u);
}

static void *close_the_same(void *number)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        bool last;
        if (*(int *)number == 0)
            handle_put(10, (struct handle){.role = ROLE_PRIMARY,
                                           .store = acquire(1),
                                           .identity = id(1),
                                           .facts = FACT_WRITES});
        atomic_store(&count, 0);
        meet();
        if (handle_take(10, &last).role != ROLE_NONE)
            atomic_fetch_add(&count, last ? 1 : 100);
        meet();
        fails_unless(atomic_load(&count) == 1 && handle_count() == 0);
        meet();
    }
    return NULL;
}

Test(store, of_threads_that_close_the_same_descriptor_one_gets_it)
{
    race(close_the_same);
    cr_expect_eq(atomic_load(&failures), 0u);
}

static void *open_other_numbers(void *number)
{
    struct store *s = acquire(1);
    for (int round = 0; round < HANDLE_CHUNKS; round++) {
        int fd = round * HANDLE_CHUNK + *(int *)number;
        meet(); /* each round makes a chunk of the table, all at the same time */
        handle_put(fd, (struct handle){.role = ROLE_PRIMARY,
                                       .store = s,
                                       .identity = id((unsigned)fd),
                                       .facts = FACT_WRITES});
        fails_unless(handle_get(fd).identity.ino == (unsigned)fd);
    }
    return NULL;
}

Test(store, threads_that_make_the_table_grow_lose_no_descriptor)
{
    race(open_other_numbers);
    cr_expect_eq(atomic_load(&failures), 0u);
    cr_expect_eq(handle_count(), (unsigned)(RACERS * HANDLE_CHUNKS));
    int fd = -1;
    while ((fd = handle_next((unsigned)fd + 1, ~0u)) >= 0)
        atomic_fetch_add(&count, 1);
    cr_expect_eq(atomic_load(&count), (unsigned)(RACERS * HANDLE_CHUNKS));
}

static struct store *_Atomic got[RACERS];

static void *acquire_the_same(void *number)
{
    for (unsigned round = 0; round < 20 * ROUNDS; round++) {
        meet();
        struct store *s = store_acquire(id(round), &profiles[0], "/s");
        atomic_store(&got[*(int *)number], s);
        meet();
        fails_unless(s != NULL && atomic_load(&got[0]) == s);
        store_release(s);
    }
    return NULL;
}

Test(store, threads_that_open_a_store_at_the_same_time_share_its_record)
{
    race(acquire_the_same);
    cr_expect_eq(atomic_load(&failures), 0u);
}

static void *open_while_another_closes(void *number)
{
    int fd = 10 + *(int *)number;
    for (unsigned round = 0; round < 20 * ROUNDS; round++) {
        bool last = true;
        struct store *s = acquire(1);
        if (*(int *)number == 0)
            handle_put(
                fd, (struct handle){
                        .role = ROLE_PRIMARY, .store = s, .identity = id(1), .facts = FACT_WRITES});
        meet();
        if (*(int *)number == 0)
            handle_take(fd, &last);
        if (*(int *)number == 1)
            handle_put(
                fd, (struct handle){
                        .role = ROLE_PRIMARY, .store = s, .identity = id(1), .facts = FACT_WRITES});
        meet();
        if (*(int *)number == 1)
            handle_take(fd, &last);
        fails_unless(last || *(int *)number == 0);
        store_release(s);
        meet();
    }
    return NULL;
}

Test(store, the_last_handle_is_the_last_also_if_it_came_while_another_went)
{
    acquire(1);
    race(open_while_another_closes);
    cr_expect_eq(atomic_load(&failures), 0u);
}
