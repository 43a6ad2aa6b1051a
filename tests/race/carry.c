/* A lock that the engine keeps, from many threads: one takes SHARED, as a connection with a WAL
 * does, holds it for a while, and gives it up, while others open the file, share what they have
 * opened, and close it. Whoever looks from another process sees the lock all that while, whatever
 * was closed; and once it is given up nothing of it stays. */
#include "one_store.h"

static _Atomic unsigned turns; /* odd: the engine has the lock */
static _Atomic unsigned closes, looks;
static atomic_bool at_rest;
static _Atomic unsigned inside; /* of those who open and close */

/* With the others at rest, since a close that comes later could drop what was left. */
static void expect_no_lock(void)
{
    atomic_store(&at_rest, true);
    while (atomic_load(&inside) > 0)
        sched_yield();
    CHECK(!is_locked(0, 0));
    atomic_store(&at_rest, false);
}

static void be_engine(uint64_t *state)
{
    const int as_sqlite = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
    const int fd = open_file(as_sqlite);
    while (going_on()) {
        set_lock(fd, F_RDLCK, 0x40000002, 510);
        atomic_fetch_add(&turns, 1);
        sys_poll(-1, 0, dice(state, 8) * 1000000);
        if (dice(state, 2) == 0) { /* what none is carried over beside */
            set_lock(fd, F_WRLCK, 0x40000001, 1);
            for (int i = 0; i < 20; i++)
                CHECK(is_locked(0x40000001, 1));
            set_lock(fd, F_UNLCK, 0x40000000, 2);
        }
        atomic_fetch_add(&turns, 1);
        set_lock(fd, F_UNLCK, 0, 0);
        expect_no_lock();
    }
    close_file(fd);
}

static void look(void)
{
    const unsigned before = atomic_load(&turns);
    const bool locked = is_locked(0x40000002, 510);
    if (before % 2 == 0 || atomic_load(&turns) != before)
        return;
    CHECK(locked);
    atomic_fetch_add(&looks, 1);
}

static void open_share_and_close(int flags)
{
    const int fd = open_file(flags | O_CLOEXEC);
    track_shared();
    close_file(fd);
    atomic_fetch_add(&closes, 1);
}

static void *open_and_close(void *number)
{
    const unsigned self = *(unsigned *)number;
    uint64_t state = self + 1;
    if (self == 0)
        be_engine(&state);
    while (going_on()) {
        atomic_fetch_add(&inside, 1);
        if (!atomic_load(&at_rest))
            open_share_and_close(dice(&state, 2) == 0 ? O_RDONLY : O_RDWR);
        atomic_fetch_sub(&inside, 1);
        for (int i = 0; i < 10; i++)
            look();
    }
    return NULL;
}

int main(void)
{
    store_begin();
    race(open_and_close);
    CHECK(atomic_load(&closes) > 0 && atomic_load(&looks) > 0);
    store_end();
    return 0;
}
