/* Own locks, from many threads: one after the other they are the engine, which opens a database,
 * locks it, looks for its lock and unlocks it under a mutex, and then closes it, as SQLite does;
 * meanwhile the others open the same file and close it, as a program that polls does, and ask
 * whether it is free where nobody has it open. No close may cost the engine its lock, and none may
 * be left when all have ended. */
#include "one_store.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of the inode */

/* flags: whether it is known as the engine at its open, or not before it locks. */
static void be_engine(int flags)
{
    pthread_mutex_lock(&mutex);
    int fd = open_file(flags);
    for (int i = 0; i < 3; i++) {
        set_lock(fd, F_WRLCK, 0x40000001, 1);
        for (int look = 0; look < 20; look++)
            CHECK(is_locked(0x40000001, 1));
        set_lock(fd, F_UNLCK, 0, 0);
    }
    pthread_mutex_unlock(&mutex);
    close_file(fd);
}

static _Atomic unsigned answers;

static void ask_whether_free(bool number_is_due)
{
    struct stat st;
    CHECK(sys_fstat(witness, &st) == 0);
    struct store *store = store_find(identity_of(&st));
    if (store == NULL)
        return;
    if (question_ask(store, number_is_due) != ANSWER_NONE)
        atomic_fetch_add(&answers, 1);
    store_release(store);
}

static void *poll_and_lock(void *number)
{
    uint64_t state = *(unsigned *)number;
    while (going_on()) {
        if (dice(&state, 8) == 0)
            be_engine(O_RDWR | O_CREAT | O_CLOEXEC | (dice(&state, 2) == 0 ? O_NOFOLLOW : 0));
        else
            close_file(open_file(dice(&state, 2) == 0 ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CLOEXEC));
        if (dice(&state, 16) == 0)
            track_shared();
        if (dice(&state, 2) == 0)
            ask_whether_free(dice(&state, 2) == 0);
    }
    return NULL;
}

int main(void)
{
    store_begin();
    race(poll_and_lock);
    for (int i = 0; i < CROSSINGS; i++) {
        CHECK(atomic_load(&BOOKS.crossings.files[i].closes) == 0);
        CHECK(atomic_load(&BOOKS.crossings.files[i].without_locks) == 0);
        CHECK(atomic_load(&BOOKS.crossings.files[i].locks) == 0);
    }
    for (int i = 0; i < QUESTIONS; i++)
        CHECK(atomic_load(&BOOKS.question.asking[i]) == 0);
    CHECK(atomic_load(&answers) > 0);
    store_end();
    return 0;
}
