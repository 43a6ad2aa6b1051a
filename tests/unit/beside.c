/* What lies beside a primary, asked for in the program's own table: what is found free or held, and
 * that no lock and no number of the program's is lost by it. */
#include "track/beside.h"

#include "config/rules.h"
#include "track/books.h"
#include "unit.h"

#include <dirent.h>
#include <sys/resource.h>

static struct settings settings = {.max_collections = 5, .max_files = 3};
static struct store *store;
static const char *primary;

static const char *index_file(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/collection/%s", unit_dir, name);
    return path;
}

/* A ChromaDB with a journal that is kept and one collection. */
static void begin(void)
{
    struct stat st;
    dir_begin();
    cr_assert(books_start() && process_at_home());
    beside_start(&settings);
    primary = strdup(a_file("chroma.sqlite3"));
    a_file("chroma.sqlite3-journal");
    cr_assert_eq(mkdir(in_dir("collection"), 0700), 0);
    write_file(index_file("header.bin"), "index");
    write_file(index_file("length.bin"), "index");
    cr_assert_eq(stat(primary, &st), 0);
    store = store_acquire(identity_of(&st), profile_of_name(primary), primary);
    cr_assert_not_null(store);
}

TestSuite(beside, .init = begin, .fini = dir_end, .timeout = 30);

static bool is_free(void)
{
    return beside_is_free(store, primary, process_home());
}

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *all = opendir("/proc/self/fd");
    while (readdir(all) != NULL)
        count++;
    closedir(all);
    return count;
}

static void expect(bool free, const char *what)
{
    const unsigned before = descriptors();
    cr_expect_eq(is_free(), free, "%s", what);
    cr_expect_eq(descriptors(), before, "%s: something was left open", what);
    cr_expect_not(atomic_load(&BOOKS.beside.asking), "%s", what);
}

Test(beside, what_nobody_has_locked_is_free_and_is_not_left_open)
{
    expect(true, "a journal and an index");
    cr_expect_not(beside_is_nothing(profile_of_name(primary), primary));
    unlink(in_dir("chroma.sqlite3-journal"));
    expect(true, "an index");
    unlink(index_file("header.bin"));
    unlink(index_file("length.bin"));
    rmdir(in_dir("collection"));
    expect(true, "nothing");
    cr_expect(beside_is_nothing(profile_of_name(primary), primary));
}

Test(beside, each_kind_of_lock_of_another_process_is_seen)
{
    static const enum keeps kinds[] = {KEEPS_POSIX_READ, KEEPS_POSIX_WRITE, KEEPS_OFD,
                                       KEEPS_FLOCK_SHARED, KEEPS_FLOCK};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct keeper k = keep(kinds[i], index_file("length.bin"), -1);
        expect(false, "an index file");
        let_go(&k);
        k = keep(kinds[i], in_dir("chroma.sqlite3-journal"), -1);
        expect(false, "the journal");
        let_go(&k);
    }
    struct keeper k = keep(KEEPS_OPEN_FOR_WRITING, index_file("length.bin"), -1);
    expect(true, "who only has it open is in nobody's way");
    let_go(&k);
}

Test(beside, a_wal_and_what_sqlite_locks_are_left_to_a_helper)
{
    static const char *const names[] = {"chroma.sqlite3-wal", "chroma.sqlite3-shm"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        a_file(names[i]);
        expect(false, names[i]);
        unlink(in_dir(names[i]));
    }
}

Test(beside, as_many_index_files_are_asked_for_as_a_wait_asks_for)
{
    settings.max_files = 1;
    struct keeper k = keep(KEEPS_FLOCK, index_file("length.bin"), -1);
    expect(true, "the second one");
    let_go(&k);
    k = keep(KEEPS_FLOCK, index_file("header.bin"), -1);
    expect(false, "the first one");
    let_go(&k);
    settings.max_files = 0;
    char name[32];
    for (int i = 0; i < 70; i++) {
        snprintf(name, sizeof name, "more-%d.bin", i);
        write_file(index_file(name), "index");
    }
    expect(false, "so many are a helper's");
    settings.max_files = 3;
    expect(true, "three of them are not");
}

Test(beside, a_link_leads_to_what_may_be_anywhere)
{
    cr_assert_eq(symlink("length.bin", index_file("link.bin")), 0);
    expect(false, "a file");
    unlink(index_file("link.bin"));
    unlink(in_dir("chroma.sqlite3-journal"));
    cr_assert_eq(symlink("chroma.sqlite3", in_dir("chroma.sqlite3-journal")), 0);
    expect(false, "the journal");
}

Test(beside, what_this_process_has_open_is_not_opened_here)
{
    const struct identity file = {1, 2};
    store_retain(store);
    cr_assert(
        handle_put(100, (struct handle){.role = ROLE_SECONDARY, .store = store, .identity = file}));
    expect(false, "a handle in the books");
}

static short lock_of_others_as_seen_by_a_child(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 7, .l_len = 1};
    int fd = open(index_file("length.bin"), O_RDWR | O_CLOEXEC);
    fcntl(fd, F_GETLK, &lock);
    return lock.l_type;
}

static int own_lock_is_seen(void)
{
    return lock_of_others_as_seen_by_a_child() == F_RDLCK;
}

/* It stands behind one of another process, which the kernel names; and the books know nothing. */
Test(beside, a_lock_of_this_process_is_not_dropped_whoever_else_has_one)
{
    int fd = open(index_file("length.bin"), O_RDWR | O_CLOEXEC);
    struct flock own = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 7, .l_len = 1};
    struct keeper k = keep(KEEPS_POSIX_READ, index_file("length.bin"), -1);
    cr_assert_eq(fcntl(fd, F_SETLK, &own), 0);
    cr_assert_eq(in_child(own_lock_is_seen), 1);
    for (int i = 0; i < 3; i++)
        cr_expect_not(is_free());
    cr_expect_eq(in_child(own_lock_is_seen), 1, "it is gone");
    let_go(&k);
    cr_expect_not(is_free(), "one's own is in the way, too");
    cr_expect_eq(in_child(own_lock_is_seen), 1, "it is gone");
    cr_expect_eq(atomic_load(&BOOKS.places.count), 1, "one descriptor stays open for it, no more");
}

Test(beside, no_number_is_taken_that_a_thread_may_want)
{
    struct rlimit limit;
    close(STDIN_FILENO);
    expect(false, "that of a standard stream");
    cr_assert_eq(open("/dev/null", O_RDONLY), STDIN_FILENO);
    expect(true, "another one");
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = descriptors() + 4;
    setrlimit(RLIMIT_NOFILE, &limit);
    expect(false, "one of the last ones");
}

Test(beside, a_thread_that_asks_at_the_same_time_has_a_helper_ask)
{
    atomic_store(&BOOKS.beside.asking, true);
    cr_expect_not(is_free());
    atomic_store(&BOOKS.beside.asking, false);
    cr_expect(is_free());
}
