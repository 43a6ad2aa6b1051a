/* Descriptors that were opened to be read, and only noted: a lock waits for the close of one that
 * the engine's locks would go with. */
#include "track/readers.h"

#include "track/books.h"
#include "track/closed.h"
#include "track/look.h"
#include "track/possible.h"
#include "track/track.h"
#include "unit.h"

#include <criterion/parameterized.h>
#include <pthread.h>

static struct settings settings;

static void begin(void)
{
    settings_set_defaults(&settings);
    cr_assert(books_start());
    track_start(&settings);
}

TestSuite(readers, .init = begin, .timeout = 60);

enum { NUMBER = 700, FAR = 2000 };

/* What is waited for less, on a busy machine, says nothing. */
static const uint64_t PATIENCE = 90 * (uint64_t)MS;

/* Its engine opens the store that the file of `number` is of. */
static struct store *store;
static struct identity file;
static atomic_bool entered;

static int number_open_as(int number)
{
    const int fd = open(in_dir("chroma.sqlite3"), O_RDONLY | O_CREAT, 0644);
    cr_assert_eq(dup2(fd, number), number);
    close(fd);
    return number;
}

static void *enter(void *unused)
{
    readers_enter(store);
    atomic_store(&entered, true);
    return unused;
}

static void a_store_of_it(int number)
{
    struct stat st;
    dir_begin();
    cr_assert_eq(fstat(number_open_as(number), &st), 0);
    file = identity_of(&st);
    store = store_acquire(file, &profiles[0], in_dir("chroma.sqlite3"));
    cr_assert_not_null(store);
    readers_note(number);
    handle_know_readers(HANDLE_NEAR);
}

static void is_opened_by_an_engine(void)
{
    const unsigned as_sqlite = FACT_WRITES | FACT_NOFOLLOW | FACT_CLOEXEC;
    store_retain(store);
    cr_assert(handle_put(NUMBER + 1, (struct handle){.role = ROLE_PRIMARY,
                                                     .store = store,
                                                     .identity = file,
                                                     .facts = as_sqlite}));
}

static struct closing by_force;

static bool closing(int number)
{
    return track_closing_reader(number);
}

static bool closing_in_range(int number)
{
    return track_closing_readers((unsigned)number - 1, (unsigned)number + 1);
}

static void closed_in_range(int number)
{
    track_closed_readers((unsigned)number - 1, (unsigned)number + 1);
}

static bool closing_by_force(int number)
{
    track_closing_by_force(number, number, &by_force);
    return by_force.of_reader;
}

static void closed_by_force(int number)
{
    (void)number;
    track_closed(&by_force);
}

static const struct way {
    const char *name;
    int number;
    bool (*closing)(int number);
    void (*closed)(int number);
} ways[] = {{"close", NUMBER, closing, track_closed_reader},
            {"close of a high number", FAR, closing, track_closed_reader},
            {"close_range", NUMBER, closing_in_range, closed_in_range},
            {"close_range of high numbers", FAR, closing_in_range, closed_in_range},
            {"dup2 over it", NUMBER, closing_by_force, closed_by_force}};
enum { WAYS = sizeof ways / sizeof ways[0] };

/* Who closes it had asked whether it is a handle before another thread made it one, whose engine
 * locks next: not before the real close, which drops that lock. */
static void engine_waits(const struct way *way, bool while_it_is_open)
{
    pthread_t thread;
    a_store_of_it(way->number);
    cr_assert(way->closing(way->number), "%s", way->name);
    is_opened_by_an_engine();
    if (!while_it_is_open)
        cr_assert_eq(close(way->number), 0); /* the kernel has the number, and not yet the locks */
    const uint64_t began = clock_now();
    cr_assert_eq(pthread_create(&thread, NULL, enter, NULL), 0);
    poll(NULL, 0, 30);
    const bool early = atomic_load(&entered);
    if (while_it_is_open)
        cr_assert_eq(close(way->number), 0);
    way->closed(way->number);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    if (clock_now() - began < PATIENCE) { /* or this thread has lost the processor */
        cr_expect_not(early, "%s", way->name);
        cr_expect_eq(handle_get(way->number).role, ROLE_NONE, "%s", way->name);
        cr_expect_not(handle_or_reader(way->number), "%s", way->name);
    }
    dir_end();
}

static int numbers_of_ways[2 * WAYS];

ParameterizedTestParameters(readers, an_engine_waits_for_the_close_of_one)
{
    for (int i = 0; i < 2 * WAYS; i++)
        numbers_of_ways[i] = i;
    return cr_make_param_array(int, numbers_of_ways, 2 * WAYS);
}

ParameterizedTest(int *number, readers, an_engine_waits_for_the_close_of_one)
{
    engine_waits(&ways[*number % WAYS], *number < WAYS);
}

static uint32_t note(void)
{
    return atomic_load(&BOOKS.readers.near[NUMBER]);
}

Test(readers, it_does_not_for_a_number_that_is_another_files)
{
    a_store_of_it(NUMBER);
    cr_assert_eq(dup2(0, NUMBER), NUMBER);
    cr_assert(track_closing_reader(NUMBER));
    is_opened_by_an_engine();
    readers_enter(store);
    cr_expect_neq(note() & READERS_CLOSING, 0u, "it has waited until that was forgotten");
    cr_expect_eq(handle_get(NUMBER).role, ROLE_NONE);
    dir_end();
}

Test(readers, nor_for_ever_for_one_that_was_left)
{
    a_store_of_it(NUMBER);
    cr_assert(track_closing_reader(NUMBER));
    is_opened_by_an_engine();
    readers_enter(store);
    cr_expect_eq(note(), 0u);
    cr_expect_eq(handle_get(NUMBER).role, ROLE_PRIMARY, "it is open");
    dir_end();
}

Test(readers, whose_close_fails_stays_noted)
{
    a_store_of_it(NUMBER);
    handle_know_readers(HANDLE_NEAR);
    cr_assert(closing_by_force(NUMBER));
    track_not_closed(NUMBER, &by_force);
    cr_expect(handle_or_reader(NUMBER));
    is_opened_by_an_engine();
    readers_enter(store);
    cr_expect_eq(handle_get(NUMBER).role, ROLE_PRIMARY);
    dir_end();
}

Test(readers, of_two_threads_of_an_engine_the_second_waits_for_the_first)
{
    pthread_t thread;
    a_store_of_it(NUMBER);
    is_opened_by_an_engine();
    store_mark(store, STORE_READERS_ENTERED, 0); /* by the first, which is at it */
    const uint64_t began = clock_now();
    cr_assert_eq(pthread_create(&thread, NULL, enter, NULL), 0);
    poll(NULL, 0, 30);
    const bool early = atomic_load(&entered);
    cr_expect(!early || clock_now() - began > PATIENCE);
    store_mark(store, STORE_READERS_ARE_IN, 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    dir_end();
}

Test(readers, in_a_range_are_those_that_were_noted)
{
    cr_expect_not(track_closing_readers(0, ~0u));
    handle_know_readers(HANDLE_NEAR);
    cr_expect_not(track_closing_readers(0, ~0u));
    readers_note(NUMBER);
    cr_expect_not(track_closing_readers(NUMBER + 1, ~0u));
    cr_expect_not(track_closing_readers(0, NUMBER - 1));
    cr_expect(track_closing_readers(0, NUMBER));
}

Test(readers, one_that_is_a_handle_by_now_is_closed_as_one)
{
    struct store *s = store_acquire((struct identity){7, 1}, &profiles[0], "/s/chroma.sqlite3");
    readers_note(NUMBER);
    cr_assert(handle_put(NUMBER, (struct handle){.role = ROLE_PRIMARY, .store = s}));
    cr_expect_not(track_closing_reader(NUMBER));
    cr_expect_eq(note() & READERS_CLOSING, 0u);
}

/* What a close asks, from when there is an engine on. */
Test(readers, of_a_note_a_close_knows_until_it_has_been)
{
    cr_expect_not(handle_or_reader(NUMBER));
    readers_note(NUMBER);
    cr_expect_not(handle_or_reader(NUMBER), "nobody counts them");
    handle_know_readers(HANDLE_NEAR);
    cr_expect(handle_or_reader(NUMBER));
    cr_expect_not(handle_possible(NUMBER));
    cr_expect_not(handle_or_reader(NUMBER + 1));
    cr_expect_not(handle_or_reader(FAR));
    cr_expect_not(handle_or_reader(-1));
    cr_assert(track_closing_reader(NUMBER));
    track_closed_reader(NUMBER);
    cr_expect_not(handle_or_reader(NUMBER));
}

/* Both are asked for by one byte. */
Test(readers, a_note_and_a_handle_come_and_go_apart)
{
    bool last;
    handle_know_readers(HANDLE_NEAR);
    readers_note(NUMBER);
    cr_assert(handle_put(NUMBER, (struct handle){.role = ROLE_CANDIDATE}));
    readers_forget(NUMBER);
    cr_expect(handle_possible(NUMBER));
    readers_note(NUMBER);
    handle_take(NUMBER, &last);
    cr_expect_not(handle_possible(NUMBER));
    cr_expect(handle_or_reader(NUMBER));
}

/* Its note lies with the handles. */
Test(readers, so_it_is_with_one_above_the_numbers_that_nearly_all_have)
{
    readers_note(FAR);
    cr_expect(handle_or_reader(FAR), "it is its own end of what is known");
    cr_expect_not(handle_possible(FAR));
    cr_expect_not(handle_or_reader(FAR - 1));
    cr_expect_not(handle_or_reader(FAR + 1));
    cr_assert(track_closing_reader(FAR));
    track_closed_reader(FAR);
    cr_expect_not(handle_or_reader(FAR));
}

static unsigned chunks_made(void)
{
    unsigned made = 0;
    for (unsigned i = 0; i < HANDLE_CHUNKS; i++)
        made += atomic_load(&BOOKS.handles.chunks[i]) != NULL;
    return made;
}

/* A program may have all of its memory locked, and one descriptor among the highest numbers. */
Test(readers, to_look_for_them_takes_no_memory_for_the_numbers_that_are_in_no_book)
{
    const int highest = HANDLE_CHUNK * HANDLE_CHUNKS - 1;
    a_store_of_it(NUMBER);
    readers_note(highest);
    const unsigned before = chunks_made();
    cr_assert(track_closing_readers(0, ~0u));
    track_closed_readers(0, ~0u);
    is_opened_by_an_engine();
    readers_enter(store);
    cr_expect_leq(chunks_made(), before + 1, "%u, and there were %u", chunks_made(), before);
}

/* Before its engine is seen, by what was opened first. */
Test(readers, they_count_once_there_is_any_handle)
{
    readers_note(NUMBER);
    look_for_more();
    cr_expect(handle_or_reader(NUMBER));
}

static int note_in_child(void)
{
    track_forked(process_home());
    readers_note(NUMBER);
    return handle_or_reader(NUMBER) ? 0 : 1;
}

/* Its books are empty, and it goes on to note. */
Test(readers, they_count_in_a_fork_child_of_a_process_that_has_had_one)
{
    look_for_more();
    cr_expect_eq(in_child(note_in_child), 0);
}
