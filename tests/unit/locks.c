/* The book of the engine's locks: which ranges are SQLite's, and what a close drops. */
#include "track/locks.h"
#include "track/books.h"

#include "unit.h"

static void begin(void)
{
    cr_assert(books_start());
}

TestSuite(locks, .init = begin, .timeout = 60);

enum { PENDING = 0x40000000, RESERVED, SHARED };
static const struct identity main_file = {7, 1};
static const struct identity shm = {7, 2};
static const struct identity wal = {7, 3};

static struct flock range(short type, off_t start, off_t length)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

static struct store *store(void)
{
    return store_acquire(main_file, &profiles[0], "/s/chroma.sqlite3");
}

static void lock(struct store *s, short type, off_t start, off_t length)
{
    struct flock l = range(type, start, length);
    bool of_database = start == 0 || start >= PENDING;
    locks_changed(s, 3, of_database ? ROLE_PRIMARY : ROLE_SIDECAR, of_database ? main_file : shm,
                  &l);
}

static bool is_sqlites(enum role role, short type, off_t start, off_t length)
{
    struct flock l = range(type, start, length);
    return locks_sqlites(role, &l);
}

Test(locks, sqlites_ranges_and_no_others_tell_of_sqlite)
{
    cr_expect(is_sqlites(ROLE_PRIMARY, F_RDLCK, SHARED, 510));
    cr_expect(is_sqlites(ROLE_PRIMARY, F_WRLCK, RESERVED, 1));
    cr_expect(is_sqlites(ROLE_PRIMARY, F_RDLCK, PENDING, 1));
    cr_expect(is_sqlites(ROLE_SIDECAR, F_RDLCK, 128, 1));
    cr_expect(is_sqlites(ROLE_SIDECAR, F_WRLCK, 120, 8), "several of the WAL's at once");

    cr_expect_not(is_sqlites(ROLE_PRIMARY, F_WRLCK, 0, 0), "the whole file");
    cr_expect_not(is_sqlites(ROLE_PRIMARY, F_WRLCK, SHARED, 0), "to the end");
    cr_expect_not(is_sqlites(ROLE_PRIMARY, F_WRLCK, SHARED, 511));
    cr_expect_not(is_sqlites(ROLE_PRIMARY, F_RDLCK, 128, 1), "of another file");
    cr_expect_not(is_sqlites(ROLE_SIDECAR, F_RDLCK, 119, 2));
    cr_expect_not(is_sqlites(ROLE_SIDECAR, F_RDLCK, 121, 9));
    cr_expect_not(is_sqlites(ROLE_PRIMARY, F_UNLCK, SHARED, 510), "nothing was taken");
    struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_CUR, .l_start = SHARED, .l_len = 510};
    cr_expect_not(locks_sqlites(ROLE_PRIMARY, &l), "from where the file stands");
}

Test(locks, an_idle_connection_with_a_wal_holds_nothing_beyond)
{
    struct store *s = store();
    cr_expect_not(locks_beyond_idle(s), "nor does one without");
    lock(s, F_RDLCK, SHARED, 510);
    cr_expect(locks_beyond_idle(s), "without a WAL it reads");
    lock(s, F_RDLCK, 128, 1);
    cr_expect_not(locks_beyond_idle(s));
    locks_dropped(s, main_file);
    cr_expect_not(locks_beyond_idle(s), "a close has dropped the one on the database");
    lock(s, F_RDLCK, SHARED, 510);
    cr_expect_not(locks_beyond_idle(s));
    lock(s, F_RDLCK, 124, 1);
    cr_expect(locks_beyond_idle(s), "a statement that was not read to its end");
    lock(s, F_UNLCK, 124, 1);
    cr_expect_not(locks_beyond_idle(s));
    lock(s, F_WRLCK, 120, 1);
    cr_expect(locks_beyond_idle(s), "a transaction that writes");
}

Test(locks, a_transaction_without_a_wal_is_seen_from_its_beginning_to_its_end)
{
    struct store *s = store();
    lock(s, F_RDLCK, PENDING, 1);
    lock(s, F_RDLCK, SHARED, 510);
    lock(s, F_UNLCK, PENDING, 1);
    lock(s, F_WRLCK, RESERVED, 1);
    lock(s, F_WRLCK, PENDING, 1);
    lock(s, F_WRLCK, SHARED, 510);
    cr_expect(locks_beyond_idle(s));
    lock(s, F_RDLCK, SHARED, 510);
    lock(s, F_UNLCK, PENDING, 2);
    cr_expect(locks_beyond_idle(s), "SHARED is left");
    lock(s, F_UNLCK, 0, 0);
    cr_expect_not(locks_beyond_idle(s));
    cr_expect_not(locks_on(s, main_file));
}

Test(locks, the_close_of_a_file_drops_its_own_locks_and_no_others)
{
    struct store *s = store();
    lock(s, F_RDLCK, SHARED, 510);
    lock(s, F_RDLCK, 128, 1);
    lock(s, F_RDLCK, 124, 1);
    locks_dropped(s, wal);
    cr_expect(locks_on(s, main_file));
    cr_expect(locks_on(s, shm));
    cr_expect_not(locks_on(s, wal));
    locks_dropped(s, shm);
    cr_expect(locks_on(s, main_file));
    cr_expect_not(locks_on(s, shm));
    locks_dropped(s, main_file);
    cr_expect_not(locks_on(s, main_file));
}

Test(locks, of_another_engine_any_lock_is_one)
{
    struct store *s = store();
    locks_other(s, true);
    cr_expect(locks_beyond_idle(s));
    locks_other(s, false);
    cr_expect_not(locks_beyond_idle(s));
    locks_other(s, true);
    locks_dropped(s, main_file);
    cr_expect_not(locks_beyond_idle(s));
}

Test(locks, what_a_connection_with_a_wal_keeps_is_told_and_nothing_beside_it)
{
    struct store *s = store();
    struct flock kept;
    cr_expect_not(locks_kept(s, main_file, &kept));
    lock(s, F_RDLCK, SHARED, 510);
    lock(s, F_RDLCK, 128, 1);
    cr_expect(locks_kept(s, main_file, &kept));
    cr_expect(kept.l_type == F_RDLCK && kept.l_start == SHARED && kept.l_len == 510);
    cr_expect(locks_kept(s, shm, &kept));
    cr_expect(kept.l_type == F_RDLCK && kept.l_start == 128 && kept.l_len == 1);
    cr_expect_not(locks_kept(s, wal, &kept));
    lock(s, F_RDLCK, 124, 1);
    cr_expect_not(locks_kept(s, shm, &kept), "somebody reads");
    cr_expect(locks_kept(s, main_file, &kept));
    lock(s, F_WRLCK, RESERVED, 1);
    cr_expect_not(locks_kept(s, main_file, &kept), "somebody writes");
    lock(s, F_UNLCK, PENDING, 2);
    locks_other(s, true);
    cr_expect_not(locks_kept(s, main_file, &kept), "another engine has one");
}
