/* Descriptors that were opened to be read, and only noted: a lock waits for the close of one that
 * the engine's locks would go with. */
#include "track/readers.h"

#include "track/books.h"
#include "track/closed.h"
#include "track/possible.h"
#include "track/track.h"
#include "unit.h"

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

static atomic_bool locked;

static void *lock(void *unused)
{
    closed_lock_set_out();
    atomic_store(&locked, true);
    closed_lock_arrived();
    return unused;
}

/* Its thread had asked whether it is a handle before another made it one, and locks now. */
Test(readers, a_lock_waits_for_the_close_of_one)
{
    pthread_t thread;
    readers_note(NUMBER, 0);
    cr_assert(track_closing_reader(NUMBER));
    cr_assert_eq(pthread_create(&thread, NULL, lock, NULL), 0);
    poll(NULL, 0, 30);
    cr_expect_not(atomic_load(&locked));
    track_closed_reader();
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_expect(atomic_load(&locked));
}

Test(readers, one_that_is_a_handle_by_now_is_closed_as_one)
{
    struct store *s = store_acquire((struct identity){7, 1}, &profiles[0], "/s/chroma.sqlite3");
    readers_note(NUMBER, 0);
    cr_assert(handle_put(NUMBER, (struct handle){.role = ROLE_PRIMARY, .store = s}));
    cr_expect_not(track_closing_reader(NUMBER));
    cr_expect_eq(atomic_load(&BOOKS.closes.on_their_way), 0u);
}

/* What a close asks, from when there is an engine on. */
Test(readers, of_a_note_a_close_knows_until_it_has_been)
{
    cr_expect_not(handle_or_reader(NUMBER));
    readers_note(NUMBER, 0);
    cr_expect_not(handle_or_reader(NUMBER), "nobody counts them");
    handle_know_readers();
    cr_expect(handle_or_reader(NUMBER));
    cr_expect_not(handle_possible(NUMBER));
    cr_expect_not(handle_or_reader(NUMBER + 1));
    cr_expect_not(handle_or_reader(FAR));
    cr_expect_not(handle_or_reader(-1));
    cr_assert(track_closing_reader(NUMBER));
    track_closed_reader();
    cr_expect_not(handle_or_reader(NUMBER));
}

/* Both are asked for by one byte. */
Test(readers, a_note_and_a_handle_come_and_go_apart)
{
    bool last;
    handle_know_readers();
    readers_note(NUMBER, 0);
    cr_assert(handle_put(NUMBER, (struct handle){.role = ROLE_CANDIDATE}));
    readers_forget(NUMBER);
    cr_expect(handle_possible(NUMBER));
    readers_note(NUMBER, 0);
    handle_take(NUMBER, &last);
    cr_expect_not(handle_possible(NUMBER));
    cr_expect(handle_or_reader(NUMBER));
}
