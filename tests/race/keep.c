/* Own locks, from many threads: one after the other they are the engine, which opens a database,
 * locks it, looks for its lock and unlocks it under a mutex, and then closes it, as SQLite does;
 * meanwhile the others open the same file and close it, as a program that polls does, and ask
 * whether it is free where nobody has it open. No close may cost the engine its lock, and none may
 * be left when all have ended. */
#include "base/sys.h"
#include "config/rules.h"
#include "race.h"
#include "track/books.h"
#include "track/possible.h"
#include "track/track.h"

#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/settle-keep-XXXXXX/chroma.sqlite3";
static struct settings settings;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of the inode */
static int witness;                                       /* opened and closed past the library */

/* --- what the hooks do --- */

static int open_file(int flags)
{
    int fd = atomic_load(&BOOKS.places.count) > 0 ? track_take_up(AT_FDCWD, path, flags) : -1;
    if (fd < 0)
        fd = sys_openat(AT_FDCWD, path, flags, 0644);
    CHECK(fd >= 0);
    track_opened(fd, AT_FDCWD, path, flags);
    return fd;
}

static void close_file(int fd)
{
    struct closing closing;
    if (!handle_possible(fd) && track_closing_reader(fd)) {
        CHECK(sys_close(fd) == 0);
        track_closed_reader(fd);
        return;
    }
    CHECK(!track_has_put_off(fd));
    if (track_closing(fd, &closing))
        CHECK(track_put_off(&closing) == 0);
    else
        CHECK(sys_close(fd) == 0);
    track_closed(&closing);
}

static void set_lock(int fd, short type, off_t start, off_t length)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    const uint64_t begun = track_locking(fd, F_SETLK, &lock);
    CHECK(sys_fcntl(fd, F_SETLK, (long)&lock) == 0);
    track_locked(fd, F_SETLK, &lock, type);
    if (begun != 0)
        track_lock_ended(begun);
}

static void expect_lock(void)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000001, .l_len = 1};
    CHECK(sys_fcntl(witness, F_OFD_GETLK, (long)&lock) == 0);
    CHECK(lock.l_type == F_WRLCK);
}

/* --- the races --- */

/* flags: whether it is known as the engine at its open, or not before it locks. */
static void be_engine(int flags)
{
    pthread_mutex_lock(&mutex);
    int fd = open_file(flags);
    for (int i = 0; i < 3; i++) {
        set_lock(fd, F_WRLCK, 0x40000001, 1);
        for (int look = 0; look < 20; look++)
            expect_lock();
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
    char *slash = strrchr(path, '/');
    *slash = '\0';
    CHECK(mkdtemp(path) != NULL);
    *slash = '/';
    witness = sys_openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    CHECK(witness >= 0);
    settings_set_defaults(&settings);
    /* What stands in for the helper closes in this table (race.h): no close and no use has one. */
    settings.trigger = TRIGGER_USE;
    settings.at_use = AT_USE_OFF;
    rules_read(NULL, &settings, NULL);
    CHECK(books_start());
    track_start(&settings);

    race(poll_and_lock);
    CHECK(atomic_load(&BOOKS.places.count) == 0);
    CHECK(handle_next(0, ~0u) == -1);
    for (int i = 0; i < CROSSINGS; i++) {
        CHECK(atomic_load(&BOOKS.crossings.files[i].closes) == 0);
        CHECK(atomic_load(&BOOKS.crossings.files[i].without_locks) == 0);
        CHECK(atomic_load(&BOOKS.crossings.files[i].locks) == 0);
    }
    for (int i = 0; i < QUESTIONS; i++)
        CHECK(atomic_load(&BOOKS.question.asking[i]) == 0);
    CHECK(atomic_load(&answers) > 0);

    unlink(path);
    *slash = '\0';
    rmdir(path);
    return 0;
}
