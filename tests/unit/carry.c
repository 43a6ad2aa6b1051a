/* Locks that are carried over closes which were put off: whose stay out of it. The rest is seen
 * from another process (tests/e2e/keep.c) and by many threads (tests/race/carry.c). */
#include "track/carry.h"

#include "track/books.h"
#include "track/keep.h"
#include "unit.h"

static void begin(void)
{
    dir_begin();
    cr_assert(books_start());
}

TestSuite(carry, .init = begin, .fini = dir_end, .timeout = 30);

static const char *path;

/* In a process of its own, whose locks these are not. */
static int is_locked(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR);
    return fd < 0 || fcntl(fd, F_GETLK, &lock) != 0 ? 2 : lock.l_type != F_UNLCK;
}

Test(carry, what_no_engine_has_open_stays_since_its_close_could_drop_a_lock_that_nobody_knows_of)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    path = a_file("file");
    int program = open(path, O_RDWR);
    cr_assert_eq(fcntl(program, F_SETLK, &lock), 0);
    cr_assert(process_thread_at_home());
    int kept = open(path, O_RDONLY);
    const sys_sigset old = process_hold_signals();
    keep_open(kept);
    carry_locks_over();
    process_let_signals(old);
    cr_expect_eq(atomic_load(&BOOKS.places.count), 1u);
    cr_expect_eq(in_child(is_locked), 1);
}
