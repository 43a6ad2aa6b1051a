/* The table of descriptors: whose a handle is, which of them count, and which close is the last. */
#include "track/handle.h"
#include "track/books.h"
#include "track/keep.h"
#include "track/track.h"

#include "unit.h"

#include <fcntl.h>

static void begin(void)
{
    cr_assert(books_start());
}

TestSuite(handle, .init = begin, .timeout = 60);

enum { AS_SQLITE = FACT_WRITES | FACT_NOFOLLOW | FACT_CLOEXEC };
static const struct identity primary = {7, 1};
static const struct identity shm = {7, 2};

static const struct profile *profile_of(const char *name)
{
    for (int i = 0; i < profile_count; i++)
        if (strcmp(profiles[i].name, name) == 0)
            return &profiles[i];
    cr_assert_fail("no profile %s", name);
    return NULL;
}

static struct store *store_in(const char *profile)
{
    struct store *s = store_acquire(primary, profile_of(profile), "/s/chroma.sqlite3");
    cr_assert_not_null(s);
    return s;
}

/* A descriptor on the store's file of that role, opened so. */
static void put(struct store *s, int fd, enum role role, unsigned facts)
{
    struct handle h = {
        .role = role, .store = s, .identity = role == ROLE_PRIMARY ? primary : shm, .facts = facts};
    store_retain(s);
    cr_assert(handle_put(fd, h));
}

static bool is_last(int fd)
{
    bool last;
    handle_take(fd, &last);
    return last;
}

/* SQLite reads what it writes; other engines need not. */
Test(handle, in_a_process_with_an_engine_what_is_only_written_counts_for_no_close)
{
    struct store *s = store_in("chroma");
    put(s, 3, ROLE_PRIMARY, FACT_WRITES | FACT_COPIES);
    cr_expect(!is_last(3));
    put(s, 3, ROLE_PRIMARY, FACT_WRITES | FACT_COPIES | FACT_LOCK);
    cr_expect(is_last(3));
}

Test(handle, who_only_reads_counts_for_no_close)
{
    struct store *s = store_in("chroma");
    put(s, 3, ROLE_PRIMARY, 0);
    cr_expect_not(is_last(3));
    put(s, 3, ROLE_PRIMARY, FACT_NOFOLLOW | FACT_CLOEXEC); /* cp -r */
    cr_expect_not(handle_is_engine(3));
    put(s, 4, ROLE_PRIMARY, AS_SQLITE);
    cr_expect(is_last(4), "a reader that stays keeps no close from being the last");
    cr_expect_not(is_last(3));
    cr_expect_eq(handle_count_of(s), 0);
}

Test(handle, who_writes_counts_while_no_engine_was_seen)
{
    struct store *s = store_in("chroma");
    put(s, 3, ROLE_PRIMARY, FACT_WRITES);
    put(s, 4, ROLE_PRIMARY, FACT_WRITES);
    cr_expect_not(is_last(3));
    cr_expect(is_last(4));

    put(s, 3, ROLE_PRIMARY, FACT_WRITES | FACT_CLOEXEC); /* r+b */
    cr_expect_not(handle_is_foreign(3), "nobody else has it");
    put(s, 4, ROLE_PRIMARY, AS_SQLITE);
    cr_expect(handle_is_foreign(3));
    cr_expect_not(handle_is_foreign(4));
    cr_expect(is_last(4));
    cr_expect_not(is_last(3), "the engine was seen");
    put(s, 3, ROLE_PRIMARY, FACT_WRITES);
    cr_expect_eq(atomic_load(&s->handles) & STORE_OPENED, 0, "nor is the store open again");
    cr_expect_not(is_last(3), "it stays seen");
}

Test(handle, of_all_who_look_at_one_whose_look_was_put_off_one_does)
{
    cr_expect(handle_change_later(9, LATER_NOT, LATER_NOTED));
    cr_expect_not(handle_change_later(9, LATER_NOT, LATER_NOTED), "it is in the table");
    cr_expect_eq(handle_get(9).role, ROLE_LATER);
    cr_expect_eq(handle_count(), 0, "it is no handle");
    cr_expect(handle_change_later(9, LATER_NOTED, LATER_LOOKED_AT));
    cr_expect_not(handle_change_later(9, LATER_NOTED, LATER_LOOKED_AT));
    cr_expect_not(handle_change_later(9, LATER_NOTED, LATER_NOT), "another thread looks at it");
    put(store_in("chroma"), 9, ROLE_PRIMARY, FACT_WRITES);
    cr_expect_eq(handle_later(9), LATER_NOT);
    cr_expect_not(handle_change_later(9, LATER_LOOKED_AT, LATER_NOT), "what was put stays");
    cr_expect(is_last(9));
}

Test(handle, what_is_learned_later_counts_from_then_on)
{
    struct store *s = store_in("chroma");
    put(s, 3, ROLE_PRIMARY, FACT_WRITES | FACT_CLOEXEC); /* SQLite before 3.31 */
    put(s, 4, ROLE_PRIMARY, 0);
    handle_note(3, FACT_SQLITE_LOCK | FACT_LOCK);
    cr_expect(handle_is_engine(3));
    cr_expect(handle_is_foreign(4));
    cr_expect_eq(handle_count_engine(s), 1);
    handle_note(4, FACT_SQLITE_LOCK | FACT_LOCK); /* a connection that only reads */
    cr_expect(handle_is_engine(4));
    cr_expect_not(is_last(3));
    cr_expect(is_last(4));
    cr_expect_eq(handle_count(), 0);
}

Test(handle, a_connection_is_known_by_the_function_that_opened_it)
{
    struct store *s = store_in("chroma");
    put(s, 3, ROLE_PRIMARY, FACT_IN_SQLITE | FACT_CLOEXEC);
    cr_expect(handle_is_engine(3));
    cr_expect(is_last(3));
}

Test(handle, a_lock_of_its_own_makes_a_reader_count)
{
    struct store *s = store_in("chroma");
    put(s, 3, ROLE_PRIMARY, 0);
    handle_note(3, FACT_LOCK);
    cr_expect_not(handle_is_engine(3), "it is none of SQLite's");
    cr_expect(is_last(3));
}

Test(handle, in_a_directory_that_the_user_named_every_handle_counts)
{
    struct store *s = store_in("directory");
    put(s, 3, ROLE_PRIMARY, 0);
    put(s, 4, ROLE_PRIMARY, FACT_WRITES);
    cr_expect_not(handle_is_engine(4));
    handle_note(4, FACT_LOCK);
    cr_expect(handle_is_engine(4), "of another engine than SQLite any lock tells");
    cr_expect_not(is_last(4));
    cr_expect(is_last(3));
}

Test(handle, index_files_are_no_engines)
{
    struct store *s = store_in("chroma");
    put(s, 3, ROLE_SECONDARY, AS_SQLITE);
    put(s, 4, ROLE_PRIMARY, AS_SQLITE);
    cr_expect_not(handle_is_engine(3));
    cr_expect(is_last(4), "those that stay open keep no close from being the last");
    cr_expect_not(is_last(3));
}

Test(handle, a_candidate_is_what_its_facts_say_once_it_is_a_database)
{
    struct handle h = {.role = ROLE_CANDIDATE, .identity = primary, .facts = AS_SQLITE};
    cr_assert(store_reserve());
    cr_assert(handle_put(3, h));
    handle_note(3, FACT_LOCK);
    cr_expect_not(handle_is_engine(3));
    struct store *s = store_in("sqlite");
    cr_assert(handle_promote(3, s, primary));
    cr_expect(handle_is_engine(3));
    cr_expect_eq(handle_get(3).facts, AS_SQLITE | FACT_LOCK);
    cr_expect(is_last(3));
}

/* The number may be closed and used for another file, and again, between the looks of who promotes:
 * it then finds the identity of the one beside the word of the other. */
Test(handle, a_candidate_that_changed_hands_meanwhile_is_not_promoted)
{
    struct store *s = store_in("chroma");
    cr_assert(handle_put(3, (struct handle){.role = ROLE_CANDIDATE, .identity = shm}));
    struct handle_entry *entry = handle_entry(3);
    atomic_store(&entry->dev, primary.dev);
    atomic_store(&entry->ino, primary.ino);
    cr_expect_not(handle_promote(3, s, primary));
    cr_expect_eq(handle_get(3).role, ROLE_CANDIDATE);
    cr_expect_eq(handle_count_of(s), 0u);
    cr_assert(handle_put(3, (struct handle){.role = ROLE_CANDIDATE, .identity = primary}));
    cr_expect(handle_promote(3, s, primary));
}

Test(handle, the_engines_descriptor_on_a_file_is_found)
{
    struct store *s = store_in("chroma");
    cr_expect_eq(handle_of_engine(s, primary), -1);
    put(s, 3, ROLE_PRIMARY, FACT_WRITES);
    put(s, 5, ROLE_SIDECAR, AS_SQLITE);
    cr_expect_eq(handle_of_engine(s, primary), -1);
    put(s, 7, ROLE_PRIMARY, AS_SQLITE);
    cr_expect_eq(handle_of_engine(s, primary), 7);
    cr_expect_eq(handle_of_engine(s, shm), 5);
}

static void expect_shared(int fd, bool at_all, bool for_long)
{
    const struct handle h = handle_get(fd);
    cr_expect_eq(keep_is_shared(&h), at_all);
    cr_expect_eq(keep_is_shared_for_long(fd, &h), for_long);
}

Test(handle, a_child_that_executes_a_program_shares_nothing_for_long_that_its_exec_closes)
{
    struct store *s = store_in("chroma");
    const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    put(s, fd, ROLE_PRIMARY, AS_SQLITE | keep_time());
    expect_shared(fd, false, false);
    track_spawned();
    expect_shared(fd, true, false);
    track_spawned();
    expect_shared(fd, true, false);
    fcntl(fd, F_SETFD, 0);
    expect_shared(fd, true, true);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    expect_shared(fd, true, false);
    track_shared(); /* a fork, or a message */
    expect_shared(fd, true, true);
    track_spawned();
    expect_shared(fd, true, true);
    cr_expect(is_last(fd));
    put(s, fd, ROLE_PRIMARY, AS_SQLITE | keep_time());
    expect_shared(fd, false, false);
    track_spawned();
    handle_note(fd, FACT_SHARED); /* a copy of it */
    expect_shared(fd, true, true);
}
