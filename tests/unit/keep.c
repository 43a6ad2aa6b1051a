/* Closes that are put off: when they are let go. What programs see of them is in tests/e2e/keep.c.
 */
#include "track/keep.h"
#include "track/books.h"
#include "track/locks.h"
#include "track/process.h"

#include "unit.h"

#include <fcntl.h>

static void begin(void)
{
    dir_begin();
    cr_assert(books_start());
    keep_start(true);
}

TestSuite(keep, .init = begin, .fini = dir_end, .timeout = 60);

enum { AS_SQLITE = FACT_WRITES | FACT_NOFOLLOW | FACT_CLOEXEC, SHARED = 0x40000002 };

static struct identity identity;

/* The engine's descriptor on a store's primary. */
static struct store *open_by_engine(int *fd)
{
    struct stat st;
    *fd = open(a_file("chroma.sqlite3"), O_RDWR);
    cr_assert(*fd >= 0 && fstat(*fd, &st) == 0);
    identity = identity_of(&st);
    struct store *s = store_acquire(identity, &profiles[0], "/s/chroma.sqlite3");
    cr_assert(handle_put(
        *fd, (struct handle){
                 .role = ROLE_PRIMARY, .store = s, .identity = identity, .facts = AS_SQLITE}));
    return s;
}

/* A descriptor of the program's, whose close is put off. */
static int put_off(struct store *s)
{
    const int fd = open(a_file("chroma.sqlite3"), O_RDWR);
    const struct handle h = {.role = ROLE_PRIMARY, .store = s, .identity = identity};
    cr_assert_geq(fd, 0);
    cr_expect(keep_wants(fd, &h));
    cr_expect_eq(keep_put_off(fd, &h, process_home()), 0);
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void change_lock(struct store *s, int fd, short type)
{
    const struct flock lock = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = SHARED, .l_len = 510};
    locks_changed(s, fd, ROLE_PRIMARY, identity, &lock);
}

/* It has come since the caller has looked. */
Test(keep, what_an_engine_has_locked_by_now_is_not_let_go)
{
    int engine;
    struct store *s = open_by_engine(&engine);
    const int fd = put_off(s);
    change_lock(s, engine, F_RDLCK);
    keep_let_go(identity);
    cr_expect(is_open(fd));
    keep_let_all_go();
    cr_expect(is_open(fd));
    change_lock(s, engine, F_UNLCK);
    keep_let_go(identity);
    cr_expect_not(is_open(fd));
}

Test(keep, while_an_engine_has_the_file_open_another_of_its_closes_lets_nothing_go)
{
    int engine;
    struct store *s = open_by_engine(&engine);
    const int fd = put_off(s);
    keep_engine_gone(identity);
    cr_expect(is_open(fd));
    bool last;
    handle_take(engine, &last);
    keep_engine_gone(identity);
    cr_expect_not(is_open(fd));
}
