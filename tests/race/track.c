/* What the hooks ask for, on real files, from many threads: opens, copies and closes of the same
 * stores, files that become databases while they are open, waits, and the log of it all. */
#include "track/track.h"

#include "base/sys.h"
#include "helper/log.h"
#include "race.h"
#include "track/block.h"
#include "track/books.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { PAGE = 512 };

static char dir[] = "/tmp/settle-race-XXXXXX";
static struct settings settings;

/* --- what a program does, by raw calls: libc's would be taken for an order between threads --- */

static int open_file(const char *path, int flags)
{
    int fd = sys_openat(AT_FDCWD, path, flags | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    track_opened(fd, AT_FDCWD, path, flags);
    return fd;
}

static int copy(int fd)
{
    int other = sys_fcntl(fd, F_DUPFD_CLOEXEC, 0);
    CHECK(other >= 0);
    track_duplicated(fd, other);
    return other;
}

static void close_file(int fd)
{
    struct closing closing;
    track_closing(fd, &closing);
    CHECK(sys_close(fd) == 0);
    track_closed(&closing);
}

static void write_database(int fd)
{
    char page[PAGE] = "SQLite format 3";
    CHECK(sys_call(SYS_pwrite64, fd, (long)page, PAGE, 0, 0, 0) == PAGE);
}

static const char *path_of(const char *name)
{
    static _Thread_local char path[64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void make_database(const char *name)
{
    int fd = sys_openat(AT_FDCWD, path_of(name), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    write_database(fd);
    sys_close(fd);
}

static void nothing_is_left(void)
{
    CHECK(handle_count() == 0);
    CHECK(handle_next(0, ~0u) == -1);
    CHECK(block_waits_running() == 0);
    for (int i = 0; i < CANDIDATE_GROUPS; i++)
        CHECK(atomic_load(&BOOKS.opens.candidates[i].count) == 0);
    CHECK(atomic_load(&BOOKS.closes.unfinished) == 0);
}

/* --- the tests --- */

/* Opens, copies and closes files of two stores in no order. */
static void *open_copy_and_close(void *number)
{
    static const char *const names[] = {"a.db", "a.db-wal", "chroma.sqlite3", "chroma.sqlite3-shm"};
    uint64_t state = *(unsigned *)number;
    int open[4];
    unsigned count = 0;
    while (going_on()) {
        unsigned what = dice(&state, 3);
        if (count == 0 || (what == 0 && count < 4)) {
            open[count++] = open_file(path_of(names[dice(&state, 4)]), O_RDWR | O_CREAT);
        } else if (what == 1 && count < 4) {
            open[count] = copy(open[dice(&state, count)]);
            count++;
        } else {
            unsigned i = dice(&state, count);
            close_file(open[i]);
            open[i] = open[--count];
        }
    }
    while (count > 0)
        close_file(open[--count]);
    return NULL;
}

static _Atomic bool ended;

/* What fcloseall does. */
static void *recheck(void *unused)
{
    while (!atomic_load(&ended))
        track_recheck();
    return unused;
}

static void open_copy_and_close_while_all_are_rechecked(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, recheck, NULL) == 0);
    race(open_copy_and_close);
    atomic_store(&ended, true);
    CHECK(pthread_join(thread, NULL) == 0);
    nothing_is_left();
}

static unsigned waits_before;

/* Since the beginning of this race. */
static unsigned waits(void)
{
    return atomic_load(&helpers_run) - waits_before;
}

/* Each round all racers have a store open, some inside of an sqlite3_close, and close it. */
static void *close_at_the_same_time(void *number)
{
    for (unsigned round = 1; meet(); round++) {
        int fd = open_file(path_of("chroma.sqlite3"), O_RDWR);
        meet();
        if (*(unsigned *)number % 2 == 0)
            track_defer(&fd);
        close_file(fd);
        if (*(unsigned *)number % 2 == 0)
            track_resume(&fd);
        meet();
        CHECK(waits() == round);
        nothing_is_left();
    }
    return NULL;
}

/* Each round all racers open an empty file, one makes it a database, and all close it. */
static void *open_empty_and_close_as_database(void *number)
{
    for (unsigned round = 1; meet(); round++) {
        char name[32];
        snprintf(name, sizeof name, "new-%u", round);
        int fd = open_file(path_of(name), O_RDWR | O_CREAT);
        meet();
        if (*(unsigned *)number == 0)
            write_database(fd);
        meet();
        close_file(fd);
        meet();
        CHECK(waits() == round);
        nothing_is_left();
    }
    return NULL;
}

/* The same, where the file's first handle that is no candidate comes while the others close. */
static void *open_and_close_while_candidates_close(void *number)
{
    for (unsigned round = 1; meet(); round++) {
        char name[32];
        snprintf(name, sizeof name, "late-%u", round);
        int fd = -1;
        if (*(unsigned *)number != 0)
            fd = open_file(path_of(name), O_RDWR | O_CREAT);
        meet();
        if (*(unsigned *)number == 1)
            write_database(fd);
        meet();
        if (*(unsigned *)number == 0)
            fd = open_file(path_of(name), O_RDWR);
        close_file(fd);
        meet();
        nothing_is_left();
    }
    return NULL;
}

/* A process with a child asks by helpers alone, and those are counted. */
static void have_a_child(void)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        pause();
}

int main(void)
{
    have_a_child();
    CHECK(mkdtemp(dir) != NULL);
    make_database("a.db");
    make_database("chroma.sqlite3");
    settings_set_defaults(&settings);
    strcpy(settings.stores, "chroma:sqlite");
    CHECK(books_start());
    track_start(&settings);

    log_start(LOG_DEBUG, path_of("log"));
    race(open_copy_and_close);
    nothing_is_left();
    open_copy_and_close_while_all_are_rechecked();

    log_start(LOG_OFF, ""); /* so that all helpers are waits */
    waits_before = atomic_load(&helpers_run);
    race(close_at_the_same_time);
    waits_before = atomic_load(&helpers_run);
    race(open_empty_and_close_as_database);
    race(open_and_close_while_candidates_close);

    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) == 0 ? 0 : 1;
}
