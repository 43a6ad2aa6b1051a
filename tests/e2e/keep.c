/* A program keeps its own locks: closes of its own descriptors, beside its engine's, are put off.
 *
 * programs/keeper plays both: its "engine" opens and locks as SQLite does; the last tests have the
 * real one. A lock is looked for from here, so as another process sees it. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(keep, .init = world_begin, .fini = world_end, .timeout = 120);

enum { SHARED_LOCK = 0x40000002, RESERVED_LOCK = 0x40000001, DMS_LOCK = 128 };
static const char cost[] = "drops the locks of its database engine";

/* At the level of the log that users have: at others more is looked at. */
static struct process start(void)
{
    return SHIMMED_WITH(OPTIONS("--log", "warn"), "build/programs/keeper");
}

/* With the engine's descriptor E on the primary, and SHARED taken through it. */
static struct process locked(struct process p)
{
    cr_assert_geq(say(&p, "engine E -", world.primary).result, 0);
    cr_assert_eq(step(&p, "lock E - shared").result, 0);
    return p;
}

static struct process start_locked(void)
{
    return locked(start());
}

static bool has_shared(const struct process *p)
{
    return lock_owner(world.primary, SHARED_LOCK) == p->pid;
}

/* How many descriptors the process really has on a file. */
static unsigned descriptors_on(const struct process *p, const char *path)
{
    char directory[64];
    struct stat wanted;
    unsigned count = 0;
    snprintf(directory, sizeof directory, "/proc/%d/fd", (int)p->pid);
    DIR *fds = opendir(directory);
    cr_assert(fds != NULL && stat(path, &wanted) == 0);
    for (struct dirent *e; (e = readdir(fds)) != NULL;) {
        struct stat st;
        count += fstatat(dirfd(fds), e->d_name, &st, 0) == 0 && st.st_ino == wanted.st_ino &&
                 st.st_dev == wanted.st_dev;
    }
    closedir(fds);
    return count;
}

/* The value of fcntl(F_GETFD) there, from /proc: -1 if it is not open. */
static int close_on_exec(const struct process *p, long fd)
{
    char path[64];
    char line[128];
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%ld", (int)p->pid, fd);
    FILE *info = fopen(path, "re");
    if (info == NULL)
        return -1;
    while (fgets(line, sizeof line, info) != NULL)
        sscanf(line, "flags: %o", &flags);
    fclose(info);
    return (flags & O_CLOEXEC) != 0;
}

static void expect_put_off(struct process *p, const char *open, const char *close, const char *path)
{
    unsigned before = descriptors_on(p, path);
    cr_assert_geq(say(p, open, path).result, 0, "%s", open);
    struct step s = step(p, close);
    cr_expect_eq(s.result, 0, "%s, %s: %ld", open, close, s.result);
    cr_expect_eq(s.error, 12345, "%s, %s changes errno to %d", open, close, s.error);
    cr_expect_eq(descriptors_on(p, path), before + 1, "%s, %s", open, close);
}

static void done(struct process *p)
{
    cr_expect_eq(finish(p), 0, "%s", errors_of(p));
}

/* --- the lock stays --- */

static const char *const touches[][2] = {
    {"open A -", "close A"},        {"open-read A -", "close A"}, {"open-cloexec A -", "close A"},
    {"openat A -", "rawclose A"},   {"fopen A -", "fclose A"},    {"fopen-read A -", "fclose A"},
    {"open-create A -", "close A"},
};
enum { TOUCHES = sizeof touches / sizeof touches[0] };

Test(keep, a_close_of_the_programs_own_descriptor_leaves_its_engine_the_locks)
{
    for (int i = 0; i < TOUCHES; i++) {
        struct process p = start_locked();
        expect_put_off(&p, touches[i][0], touches[i][1], world.primary);
        cr_expect(has_shared(&p), "%s", touches[i][0]);
        done(&p);
    }
    cr_expect(!log_has(cost));
}

Test(keep, switched_off_a_close_drops_them_as_without_the_library)
{
    for (int i = 0; i < TOUCHES; i++) {
        struct process p = SHIMMED_WITH(OPTIONS("--keep-locks", "off"), "build/programs/keeper");
        say(&p, "engine E -", world.primary);
        step(&p, "lock E - shared");
        say(&p, touches[i][0], world.primary);
        cr_expect_eq(step(&p, touches[i][1]).result, 0);
        cr_expect(!has_shared(&p), "%s", touches[i][0]);
        cr_expect_eq(descriptors_on(&p, world.primary), 1);
        done(&p);
    }
}

/* Index files that are opened to be read are passed over, where nobody wants to know of them. */
Test(keep, a_name_of_an_index_file_that_leads_to_the_database_is_seen)
{
    const char *link = in_dir("index.bin");
    cr_assert_eq(symlink(world.primary, link), 0);
    struct process p = start();
    cr_assert_geq(say(&p, "engine E -", world.primary).result, 0);
    cr_assert_eq(step(&p, "lock E - shared").result, 0);
    expect_put_off(&p, "open-read A -", "close A", link);
    cr_expect(has_shared(&p));
    done(&p);
}

/* Beside another store a descriptor A is opened to be read, and then the engine opens `path`. */
static struct process read_before_engine(const char *read, const char *path)
{
    struct process p = start();
    cr_assert_geq(say(&p, "engine D -", world.primary).result, 0);
    cr_assert_geq(say(&p, "open-read A -", read).result, 0);
    cr_assert_geq(say(&p, "engine E -", path).result, 0);
    cr_assert_eq(step(&p, "lock E - shared").result, 0);
    return p;
}

/* Beside another store what is opened to be read is told by its file alone, and noted where it has
 * the size of a database. */
Test(keep, who_reads_a_store_beside_another_is_seen_before_its_engine_is)
{
    const char *sizes[] = {"0", "512", "8192", "65536"};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char command[PATH_MAX + 64];
        const char *path = in_dir("other/chroma.sqlite3");
        mkdir(in_dir("other"), 0755);
        snprintf(command, sizeof command, "truncate -s %s '%s'", sizes[i], path);
        cr_assert_eq(system(command), 0);
        struct process p = read_before_engine(path, path);
        cr_expect_eq(step(&p, "close A").result, 0);
        cr_expect_eq(lock_owner(path, SHARED_LOCK), p.pid, "%s bytes", sizes[i]);
        done(&p);
    }
}

Test(keep, by_whatever_name_number_and_call_it_reads)
{
    const char *path = in_dir("other/chroma.sqlite3"), *link = in_dir("other/link");
    const struct {
        const char *open, *close, *path;
        bool high;
    } ways[] = {{"open-read A -", "close A", link, false},
                {"openat-read A -", "close A", path, false},
                {"fopen-read A -", "fclose A", path, false},
                {"open-read A -", "close A", path, true}};
    char command[PATH_MAX + 64];
    snprintf(command, sizeof command, "mkdir '%s' && truncate -s 8192 '%s'", in_dir("other"), path);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(symlink(path, link), 0);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process p = start();
        cr_assert_geq(say(&p, "engine D -", world.primary).result, 0);
        if (ways[i].high)
            cr_assert_eq(say(&p, "openmany - -", "/dev/null").result, 1024);
        cr_assert_geq(say(&p, ways[i].open, ways[i].path).result, ways[i].high ? 1024 : 0);
        cr_assert_geq(say(&p, "engine E -", path).result, 0);
        cr_assert_eq(step(&p, "lock E - shared").result, 0);
        cr_expect_eq(step(&p, ways[i].close).result, 0);
        cr_expect_eq(lock_owner(path, SHARED_LOCK), p.pid, "%s %s", ways[i].open, ways[i].path);
        done(&p);
    }
}

Test(keep, an_engine_is_known_by_its_lock_alone)
{
    struct process p = start();
    say(&p, "open-create E -", world.primary);
    step(&p, "lock E - shared");
    expect_put_off(&p, "open A -", "close A", world.primary);
    cr_expect(has_shared(&p));
    done(&p);
}

Test(keep, a_descriptor_that_was_open_before_the_engine_is_put_off_too)
{
    struct process p = start();
    say(&p, "open-read A -", world.primary);
    say(&p, "engine E -", world.primary);
    step(&p, "lock E - shared");
    cr_expect_eq(step(&p, "close A").result, 0);
    cr_expect(has_shared(&p));
    cr_expect_eq(descriptors_on(&p, world.primary), 2);
    done(&p);
}

/* Where databases are known by their content, nobody looks at what is opened to be read before
 * there is an engine. */
static struct process start_by_content(void)
{
    FILE *database = fopen(in_dir("some.db"), "w");
    cr_assert(fputs("SQLite format 3", database) >= 0);
    cr_assert(fseek(database, 1023, SEEK_SET) == 0 && fputc(0, database) == 0);
    cr_assert_eq(fclose(database), 0);
    return SHIMMED_WITH(OPTIONS("--stores", "sqlite"), "build/programs/keeper");
}

static void expect_puts_off(struct process *p, const char *close)
{
    const unsigned before = descriptors_on(p, in_dir("some.db"));
    cr_expect_eq(step(p, close).result, 0);
    cr_expect_eq(descriptors_on(p, in_dir("some.db")), before, "%s", close);
    cr_expect_eq(lock_owner(in_dir("some.db"), SHARED_LOCK), p->pid, "%s", close);
}

Test(keep, so_is_one_that_was_opened_to_be_read_before_a_database_was_known_by_its_content)
{
    static const char *const opens[][2] = {{"open-read A -", "close A"},
                                           {"open-nofollow A -", "close A"},
                                           {"fopen-read A -", "fclose A"}};
    static const char *const copies[][2] = {
        {"dup A B", "close B"}, {"dupfd A B", "close B"}, {"dup2 A B", "close B"}};
    for (size_t i = 0; i < sizeof opens / sizeof opens[0]; i++) {
        struct process p = start_by_content();
        say(&p, opens[i][0], in_dir("some.db"));
        say(&p, "engine E -", in_dir("some.db"));
        step(&p, "lock E - shared");
        expect_puts_off(&p, opens[i][1]);
        done(&p);
    }
    for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++) {
        struct process p = start_by_content();
        say(&p, "open-read A -", in_dir("some.db"));
        say(&p, "open-read B -", "/dev/null");
        step(&p, copies[i][0]);
        say(&p, "engine E -", in_dir("some.db"));
        step(&p, "lock E - shared");
        expect_puts_off(&p, copies[i][1]);
        expect_puts_off(&p, "close A");
        done(&p);
    }
    cr_expect(!log_has(cost));
}

Test(keep, or_before_an_engine_was_known_by_its_lock_alone)
{
    struct process p = start_by_content();
    say(&p, "open-read A -", in_dir("some.db"));
    say(&p, "open-create E -", in_dir("some.db"));
    step(&p, "lock E - shared");
    expect_puts_off(&p, "close A");
    done(&p);
}

/* Nothing can be read by it. */
Test(keep, or_to_be_written_alone)
{
    struct process p = start_by_content();
    say(&p, "engine E -", in_dir("some.db"));
    step(&p, "lock E - shared");
    say(&p, "open-write A -", in_dir("some.db"));
    expect_puts_off(&p, "close A");
    done(&p);
}

Test(keep, a_number_that_is_another_files_by_then_is_closed_as_ever)
{
    const char *other = in_dir("other");
    struct process p = start_by_content();
    long number = say(&p, "open-read A -", in_dir("some.db")).result;
    step(&p, "close A");
    cr_assert_eq(say(&p, "open-create B -", other).result, number);
    say(&p, "engine E -", in_dir("some.db"));
    step(&p, "lock E - shared");
    cr_expect_eq(step(&p, "close B").result, 0);
    cr_expect_eq(descriptors_on(&p, other), 0);
    cr_expect_eq(lock_owner(in_dir("some.db"), SHARED_LOCK), p.pid);
    done(&p);
}

Test(keep, the_lock_stays_where_another_process_had_shared_first)
{
    struct process other = PLAIN("build/programs/keeper");
    say(&other, "engine E -", world.primary);
    step(&other, "lock E - shared");
    struct process p = start_locked();
    expect_put_off(&p, "open A -", "close A", world.primary);
    done(&other);
    cr_expect(has_shared(&p));
    done(&p);
}

Test(keep, locks_of_the_wal_index_stay)
{
    const char *shm = in_dir("chroma.sqlite3-shm");
    struct process p = start_locked();
    say(&p, "engine S -", shm);
    step(&p, "lock S - dms");
    expect_put_off(&p, "open-read A -", "close A", shm);
    cr_expect_eq(lock_owner(shm, DMS_LOCK), p.pid);
    done(&p);
}

/* --- when it is not put off --- */

Test(keep, those_of_one_that_was_opened_to_be_read_before_it_was_the_engines_too)
{
    const char *path = in_dir("other/chroma.sqlite3"), *shm = in_dir("other/chroma.sqlite3-shm");
    char command[2 * PATH_MAX + 64];
    snprintf(command, sizeof command,
             "mkdir '%s' && truncate -s 8192 '%s' && truncate -s 32768 '%s'", in_dir("other"), path,
             shm);
    cr_assert_eq(system(command), 0);
    struct process p = read_before_engine(shm, path);
    cr_assert_geq(say(&p, "engine S -", shm).result, 0);
    cr_assert_eq(step(&p, "lock S - dms").result, 0);
    cr_expect_eq(step(&p, "close A").result, 0);
    cr_expect_eq(lock_owner(shm, DMS_LOCK), p.pid);
    done(&p);
}

Test(keep, without_an_engine_a_close_is_real)
{
    struct process p = start();
    for (int i = 0; i < TOUCHES; i++) {
        say(&p, touches[i][0], world.primary);
        cr_expect_eq(step(&p, touches[i][1]).result, 0);
        cr_expect_eq(descriptors_on(&p, world.primary), 0, "%s", touches[i][0]);
    }
    done(&p);
}

Test(keep, the_closes_of_the_engine_are_real)
{
    const char *shm = in_dir("chroma.sqlite3-shm");
    struct process p = start();
    say(&p, "engine E -", world.primary);
    say(&p, "engine F -", world.primary);
    cr_expect_eq(step(&p, "close F").result, 0);
    cr_expect_eq(descriptors_on(&p, world.primary), 1, "nobody has a lock");
    say(&p, "engine F -", world.primary);
    step(&p, "lock F - shared");
    cr_expect_eq(step(&p, "close F").result, 0);
    cr_expect_eq(descriptors_on(&p, world.primary), 1, "the lock is its own");
    cr_expect(!has_shared(&p));
    say(&p, "engine S -", shm);
    say(&p, "engine T -", shm);
    step(&p, "lock S - dms");
    cr_expect_eq(step(&p, "close T").result, 0);
    cr_expect_eq(descriptors_on(&p, shm), 1, "SQLite lets go of a lock so");
    done(&p);
}

/* SQLite looks whether any of its connections has a lock, and then closes: another thread has
 * locked in between. */
Test(keep, but_for_one_that_would_drop_the_lock_of_another_connection)
{
    struct process p = start_locked();
    say(&p, "engine F -", world.primary);
    cr_expect_eq(step(&p, "close F").result, 0);
    cr_expect_eq(descriptors_on(&p, world.primary), 2);
    cr_expect(has_shared(&p));
    step(&p, "unlock E");
    cr_expect_eq(descriptors_on(&p, world.primary), 1);
    cr_expect(!has_shared(&p));
    cr_expect_eq(step(&p, "close E").result, 0);
    cr_expect_eq(descriptors_on(&p, world.primary), 0);
    done(&p);
    cr_expect(!log_has(cost));
}

/* --- until when --- */

Test(keep, the_engines_unlock_of_the_whole_file_closes_what_was_put_off_before_it_returns)
{
    struct process p = start_locked();
    expect_put_off(&p, "open A -", "close A", world.primary);
    step(&p, "unlock-part E");
    cr_expect_eq(descriptors_on(&p, world.primary), 2);
    struct step s = step(&p, "unlock E");
    cr_expect_eq(s.result, 0);
    cr_expect_eq(s.error, 12345);
    cr_expect_eq(descriptors_on(&p, world.primary), 1);
    step(&p, "lock E - shared");
    cr_expect(has_shared(&p));
    done(&p);
}

Test(keep, the_engines_last_close_closes_what_was_put_off)
{
    const char *shm = in_dir("chroma.sqlite3-shm");
    const char *const files[] = {world.primary, shm};
    for (int i = 0; i < 2; i++) {
        struct process p = start();
        say(&p, "engine E -", files[i]);
        say(&p, "engine F -", files[i]);
        expect_put_off(&p, "open A -", "close A", files[i]);
        step(&p, "close E");
        cr_expect_eq(descriptors_on(&p, files[i]), 2);
        step(&p, "close F");
        cr_expect_eq(descriptors_on(&p, files[i]), 0);
        done(&p);
    }
}

Test(keep, what_is_put_off_is_no_handle_and_keeps_no_close_from_waiting)
{
    struct process p = locked(SHIMMED("build/programs/keeper"));
    expect_put_off(&p, "open A -", "close A", world.primary);
    step(&p, "unlock E");
    expect_put_off(&p, "open A -", "close A", world.primary);
    struct process holder = hold("posix", world.primary, 300);
    step(&p, "close E");
    uint64_t closed = now_ns();
    cr_expect_geq(closed, released_at(&holder));
    cr_expect(log_has("File unlocked after polling"));
    done(&p);
    cr_expect(!log_has("handles still open"), "at exit");
}

Test(keep, what_is_put_off_is_gone_before_anything_asks_for_unwritten_or_closed)
{
    static const char *const levels[] = {"unwritten", "closed"};
    for (unsigned i = 0; i < 2; i++) {
        struct process p = SHIMMED_WITH(OPTIONS("--until", levels[i]), "build/programs/keeper");
        say(&p, "engine E -", world.primary);
        expect_put_off(&p, "open A -", "close A", world.primary);
        step(&p, "close E");
        cr_expect_eq(log_count("unlocked at once"), i + 1, "%s", levels[i]);
        done(&p);
    }
}

/* --- handed out again --- */

Test(keep, the_next_open_of_the_same_kind_gets_the_descriptor_again)
{
    static const char *const kinds[] = {"open A -", "open-read A -", "open-cloexec A -",
                                        "fopen A -", "fopen-read A -"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *close = kinds[i][0] == 'f' ? "fclose A" : "close A";
        struct process p = start_locked();
        long first = say(&p, kinds[i], world.primary).result;
        step(&p, close);
        for (int again = 0; again < 100; again++) {
            cr_expect_eq(say(&p, kinds[i], world.primary).result, first, "%s", kinds[i]);
            cr_expect_eq(step(&p, close).result, 0);
        }
        cr_expect_eq(descriptors_on(&p, world.primary), 2);
        cr_expect(has_shared(&p));
        done(&p);
    }
}

Test(keep, a_descriptor_is_handed_out_as_a_fresh_one)
{
    struct process p = start_locked();
    long first = say(&p, "open A -", world.primary).result;
    step(&p, "seek A - 5");
    step(&p, "close A");
    cr_expect_eq(close_on_exec(&p, first), 1);
    cr_expect_eq(say(&p, "open A -", world.primary).result, first);
    cr_expect_eq(close_on_exec(&p, first), 0);
    cr_expect_eq(step(&p, "offset A").result, 0);
    step(&p, "close A");
    cr_expect_eq(say(&p, "open-cloexec A -", world.primary).result, first);
    cr_expect_eq(close_on_exec(&p, first), 1);
    cr_expect_eq(step(&p, "write A - x").result, 1);
    done(&p);
}

Test(keep, an_open_of_another_kind_does_not_get_it)
{
    static const char *const kinds[] = {"open-read B -", "open-truncate B -", "open-append B -",
                                        "open-path B -", "engine B -",        "open-nofollow B -"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct process p = start_locked();
        long first = say(&p, "open A -", world.primary).result;
        step(&p, "close A");
        long other = say(&p, kinds[i], world.primary).result;
        cr_expect_geq(other, 0, "%s", kinds[i]);
        cr_expect_neq(other, first, "%s", kinds[i]);
        done(&p);
    }
}

/* Where each write goes is the program's to change by fcntl, for a description of its own. */
Test(keep, nor_does_one_that_appends_get_another_that_does)
{
    struct process p = start_locked();
    const long first = say(&p, "open-append A -", world.primary).result;
    cr_expect_eq(step(&p, "close A").result, 0);
    cr_expect_neq(say(&p, "open-append A -", world.primary).result, first);
    done(&p);
}

Test(keep, an_exclusive_open_fails_as_it_has_to)
{
    struct process p = start_locked();
    say(&p, "open A -", world.primary);
    step(&p, "close A");
    struct step s = say(&p, "open-exclusively B -", world.primary);
    cr_expect_eq(s.result, -1);
    cr_expect_eq(s.error, EEXIST);
    done(&p);
}

Test(keep, an_open_of_a_file_that_has_been_replaced_gets_the_new_one)
{
    struct stat st;
    struct process p = start_locked();
    long first = say(&p, "open A -", world.primary).result;
    step(&p, "close A");
    const char *other = in_dir("other");
    int fd = open(other, O_WRONLY | O_CREAT, 0644);
    cr_assert(fd >= 0 && write(fd, "new", 3) == 3 && close(fd) == 0);
    cr_assert_eq(rename(world.primary, in_dir("chroma.sqlite3.old")), 0);
    cr_assert_eq(rename(other, world.primary), 0);
    cr_expect_neq(say(&p, "open B -", world.primary).result, first);
    cr_expect_eq(step(&p, "write B - NEW").result, 3);
    cr_expect(stat(world.primary, &st) == 0 && st.st_size == 3);
    step(&p, "close E");
    cr_expect_eq(descriptors_on(&p, in_dir("chroma.sqlite3.old")), 0);
    done(&p);
}

Test(keep, permission_is_asked_for_now)
{
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: to become somebody else needs root");
        return;
    }
    cr_assert_eq(chmod(in_dir(".."), 0755), 0);
    cr_assert_eq(chmod(world.dir, 0755), 0);
    cr_assert_eq(chmod(world.primary, 0600), 0);
    struct process p = start_locked();
    say(&p, "open A -", world.primary);
    step(&p, "close A");
    cr_assert_eq(step(&p, "become - - 64321").result, 0);
    struct step s = say(&p, "open A -", world.primary);
    cr_expect_eq(s.result, -1);
    cr_expect_eq(s.error, EACCES);
    step(&p, "become - - 0");
    cr_expect_geq(say(&p, "open A -", world.primary).result, 0);
    done(&p);
}

Test(keep, a_name_that_is_another_link_to_the_file_gets_one_of_its_own)
{
    const char *link_name = in_dir("linked.sqlite3");
    struct process p = start_locked();
    long first = say(&p, "open A -", world.primary).result;
    step(&p, "close A");
    cr_assert_eq(link(world.primary, link_name), 0);
    cr_expect_neq(say(&p, "open A -", link_name).result, first);
    done(&p);
}

Test(keep, nor_does_one_that_is_to_follow_no_link_and_has_one)
{
    const char *link_name = in_dir("link.sqlite3");
    struct process p = start_locked();
    say(&p, "open-nofollow A -", world.primary);
    cr_expect_eq(step(&p, "close A").result, 0);
    cr_assert_eq(symlink(world.primary, link_name), 0);
    struct step s = say(&p, "open-nofollow B -", link_name);
    cr_expect_eq(s.result, -1);
    cr_expect_eq(s.error, ELOOP);
    done(&p);
}

/* What the kernel calls the descriptor is a name of the other mount. */
Test(keep, nor_does_one_that_leads_there_by_another_mount)
{
    char bound[PATH_MAX + 16];
    snprintf(bound, sizeof bound, "%s/chroma.sqlite3", in_dir("../bound"));
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: to mount needs root");
        return;
    }
    cr_assert_eq(mkdir(in_dir("../bound"), 0700), 0);
    cr_assert_eq(mount(world.dir, in_dir("../bound"), NULL, MS_BIND, NULL), 0);
    struct process p = start_locked();
    long first = say(&p, "open A -", world.primary).result;
    step(&p, "close A");
    cr_expect_neq(say(&p, "open A -", bound).result, first);
    step(&p, "close A");
    cr_expect(has_shared(&p));
    done(&p);
    umount2(in_dir("../bound"), MNT_DETACH);
    rmdir(in_dir("../bound"));
}

/* In a directory where everybody may make files the kernel may refuse it to the program. */
Test(keep, an_open_that_may_create_gets_none_of_somebody_elses_file)
{
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: somebody else's file needs root");
        return;
    }
    struct process p = start_locked();
    long first = say(&p, "open-create A -", world.primary).result;
    step(&p, "close A");
    cr_expect_eq(say(&p, "open-create A -", world.primary).result, first);
    step(&p, "close A");
    cr_assert_eq(chown(world.primary, 64321, (gid_t)-1), 0);
    cr_expect_neq(say(&p, "open-create A -", world.primary).result, first);
    done(&p);
}

/* --- shared descriptions --- */

Test(keep, a_descriptor_that_somebody_else_may_have_is_put_off_and_not_handed_out)
{
    static const char *const ways[] = {
        "share - - fork",  "share - - vfork", "share - - spawn",         "share - - system",
        "share - - popen", "send A",          "send-several A",          "dup A B",
        "dupfd A B",       "share - - clone", "share - - fork-by-number"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process p = start_locked();
        long first = say(&p, "open A -", world.primary).result;
        cr_expect_geq(step(&p, ways[i]).result, 0, "%s", ways[i]);
        step(&p, "close A");
        cr_expect(has_shared(&p), "%s", ways[i]);
        cr_expect_neq(say(&p, "open C -", world.primary).result, first, "%s", ways[i]);
        done(&p);
    }
}

Test(keep, a_fork_after_the_close_keeps_no_descriptor_from_being_handed_out)
{
    static const char *const ways[] = {"share - - fork", "share - - vfork", "share - - spawn",
                                       "share - - system", "share - - popen"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process p = start_locked();
        long first = say(&p, "open A -", world.primary).result;
        step(&p, "close A");
        cr_expect_geq(step(&p, ways[i]).result, 0, "%s", ways[i]);
        cr_expect_eq(say(&p, "open A -", world.primary).result, first, "%s", ways[i]);
        done(&p);
    }
}

Test(keep, the_offset_of_a_child_stays_its_own)
{
    static const char script[] =
        "import os, sys\n"
        "engine = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC)\n"
        "os.write(engine, b'abcdefgh')\n"
        "shared = os.open(sys.argv[1], os.O_RDONLY)\n"
        "r, w = os.pipe()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os.lseek(shared, 4, os.SEEK_SET); os.read(r, 1)\n"
        "    os._exit(0 if os.read(shared, 4) == b'efgh' else 1)\n"
        "import time; time.sleep(.1)\n"
        "os.close(shared)\n"
        "again = os.open(sys.argv[1], os.O_RDONLY); os.set_inheritable(again, True)\n"
        "os.write(w, b'x')\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    struct process p = SHIMMED("/usr/bin/python3", "-c", script, world.primary);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

/* --- what the close would have done --- */

Test(keep, locks_taken_through_it_are_let_go_at_once)
{
    static const char *const kinds[] = {"lock A - flock", "lock A - ofd", "lock A - own"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct process p = start_locked();
        say(&p, "open A -", world.primary);
        cr_expect_eq(step(&p, kinds[i]).result, 0, "%s", kinds[i]);
        cr_expect_eq(step(&p, "close A").result, 0);
        int fd = open(world.primary, O_RDWR | O_CLOEXEC);
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 0x40000000};
        cr_expect_eq(flock(fd, LOCK_EX | LOCK_NB), 0, "%s", kinds[i]);
        cr_expect(fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK, "%s", kinds[i]);
        close(fd);
        cr_expect_eq(descriptors_on(&p, world.primary), 2);
        cr_expect(has_shared(&p));
        done(&p);
    }
}

/* The kernel grants one on a file that is open to be written to nobody, so not beside a connection
 * that may write (fcntl(2), "Leases"). One that was left would be broken by the next open of
 * somebody else, by a signal that ends the program. */
Test(keep, so_is_a_lease)
{
    struct process p = start();
    say(&p, "open-read E -", world.primary);
    step(&p, "lock E - shared");
    say(&p, "open-read A -", world.primary);
    cr_assert_eq(step(&p, "lock A - lease").result, 0);
    cr_expect_eq(step(&p, "close A").result, 0);
    cr_expect_eq(descriptors_on(&p, world.primary), 2);
    int fd = open(world.primary, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    cr_expect_geq(fd, 0, "%s", strerror(errno));
    close(fd);
    cr_expect(has_shared(&p));
    done(&p);
    cr_expect(!log_has(cost));
}

Test(keep, writes_that_a_remote_file_system_could_not_keep_are_told_by_the_close)
{
    static const char *const opens[] = {"open A -", "fopen A -"};
    static const char *const closes[] = {"close A", "fclose A"};
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: a file system of its own needs root");
        return;
    }
    const char *directory = in_dir("quota");
    char database[PATH_MAX];
    snprintf(database, sizeof database, "%s/chroma.sqlite3", directory);
    cr_assert_eq(mkdir(directory, 0700), 0);
    struct process server = PLAIN("build/programs/over_quota", directory);
    char line[64];
    cr_assert(read_line(&server, line, sizeof line), "%s", errors_of(&server));

    struct process p = start();
    cr_assert_geq(say(&p, "engine E -", database).result, 0);
    cr_assert_eq(step(&p, "lock E - shared").result, 0);
    for (int way = 0; way < 2; way++) {
        cr_assert_geq(say(&p, opens[way], database).result, 0);
        step(&p, way == 0 ? "write A - rows" : "fputs A - rows");
        const struct step closed = step(&p, closes[way]);
        cr_expect_eq(closed.result, -1, "%s", closes[way]);
        cr_expect_eq(closed.error, EDQUOT, "%s", closes[way]);
        cr_expect_eq(lock_owner(database, SHARED_LOCK), p.pid, "%s", closes[way]);

        say(&p, opens[way], database);
        cr_expect_eq(step(&p, closes[way]).result, 0, "nothing was written: %s", closes[way]);
    }
    done(&p);
    cr_assert_eq(umount2(directory, MNT_DETACH), 0);
    kill_now(&server); /* who copied the mount, into a namespace of its own, would keep it */
}

/* Where closes tell of none, nothing is written out for it: that takes as long as the disk does. */
Test(keep, no_other_close_waits_for_the_disk)
{
    struct process p = start_locked();
    say(&p, "open A -", world.primary);
    step(&p, "write A - rows");
    struct process tracer = attach_strace(&p, OPTIONS("-e", "trace=fsync,fdatasync"));
    cr_expect_eq(step(&p, "close A").result, 0);
    kill(tracer.pid, SIGINT);
    finish(&tracer);
    cr_expect_str_eq(errors_of(&tracer), "");
    cr_expect(has_shared(&p));
    done(&p);
}

Test(keep, a_lock_on_a_shared_description_makes_the_close_real_with_a_warning)
{
    struct process p = start_locked();
    say(&p, "open A -", world.primary);
    cr_expect_eq(step(&p, "lock A - flock").result, 0);
    step(&p, "share - - fork");
    cr_expect_eq(step(&p, "close A").result, 0);
    cr_expect_eq(descriptors_on(&p, world.primary), 1);
    cr_expect_eq(log_count(cost), 1);
    done(&p);
}

/* --- what the program sees --- */

Test(keep, a_descriptor_that_is_put_off_is_a_bad_one_for_the_program)
{
    static const char *const calls[] = {"close A",      "rawclose A",     "dup A C",  "dupfd A C",
                                        "dup2 A C",     "dup3 A C",       "getfd A",  "fdopen A",
                                        "lock A - own", "lock A - flock", "unlock A", "lockf A",
                                        "stat A",       "list A"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct process p = start_locked();
        say(&p, "open C -", "/dev/null");
        expect_put_off(&p, "open A -", "close A", world.primary);
        struct step s = step(&p, calls[i]);
        cr_expect_eq(s.result, -1, "%s: %ld", calls[i], s.result);
        cr_expect_eq(s.error, EBADF, "%s: errno %d", calls[i], s.error);
        cr_expect_eq(descriptors_on(&p, world.primary), 2, "%s", calls[i]);
        cr_expect(has_shared(&p), "%s", calls[i]);
        done(&p);
    }
}

Test(keep, the_standard_descriptors_are_never_put_off)
{
    static const char script[] =
        "import os, sys, fcntl, struct\n"
        "engine = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC)\n"
        "lock = struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, 0x40000002, 510, 0)\n"
        "fcntl.fcntl(engine, fcntl.F_SETLK, lock)\n"
        "os.close(0)\n"
        "assert os.open(sys.argv[1], os.O_RDONLY) == 0\n"
        "os.close(0)\n"
        "assert os.open('/dev/null', os.O_RDONLY) == 0\n";
    struct process p = SHIMMED("/usr/bin/python3", "-c", script, world.primary);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_count(cost), 1);
}

Test(keep, forced_closes_of_its_number_are_real)
{
    static const char *const ways[] = {"dup2 C A", "dup3 C A", "closerange A A", "closefrom A"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process p = start_locked();
        say(&p, "open C -", "/dev/null");
        expect_put_off(&p, "open A -", "close A", world.primary);
        cr_expect_geq(step(&p, ways[i]).result, 0, "%s", ways[i]);
        cr_expect_eq(descriptors_on(&p, world.primary), 1, "%s", ways[i]);
        if (ways[i][0] == 'd') /* what has the number now is the program's */
            cr_expect_eq(step(&p, "close A").result, 0, "%s", ways[i]);
        step(&p, "unlock E");
        done(&p);
    }
}

Test(keep, forced_closes_of_an_open_descriptor_are_real_and_say_what_they_cost)
{
    static const char *const ways[] = {"dup2 C A", "dup3 C A", "closerange A A", "closefrom A"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process p = start_locked();
        say(&p, "open C -", "/dev/null");
        say(&p, "open A -", world.primary);
        cr_expect_geq(step(&p, ways[i]).result, 0, "%s", ways[i]);
        cr_expect_eq(descriptors_on(&p, world.primary), 1, "%s", ways[i]);
        cr_expect(!has_shared(&p), "%s", ways[i]);
        cr_expect_eq(log_count(cost), i + 1, "%s", ways[i]);
        done(&p);
    }
}

/* Whichever of them has the lower number, and goes first. */
Test(keep, a_forced_close_of_the_engine_too_costs_nothing)
{
    struct process p = start_locked();
    say(&p, "open A -", world.primary);
    cr_expect_eq(step(&p, "closefrom E").result, 0);
    cr_expect_eq(descriptors_on(&p, world.primary), 0);
    cr_expect(!log_has(cost));
    say(&p, "open A -", world.primary);
    say(&p, "engine E -", world.primary);
    step(&p, "lock E - shared");
    cr_expect_eq(step(&p, "closefrom A").result, 0);
    cr_expect_eq(descriptors_on(&p, world.primary), 0);
    cr_expect(!log_has(cost));
    done(&p);
}

Test(keep, a_failed_dup2_over_it_leaves_it_put_off)
{
    struct process p = start_locked();
    say(&p, "open C -", "/dev/null");
    step(&p, "close C");
    expect_put_off(&p, "open A -", "close A", world.primary);
    struct step s = step(&p, "dup2 C A");
    if (s.result == -1) { /* or A has C's number */
        cr_expect_eq(s.error, EBADF);
        cr_expect_eq(descriptors_on(&p, world.primary), 2);
    }
    cr_expect(has_shared(&p));
    step(&p, "unlock E");
    cr_expect_eq(descriptors_on(&p, world.primary), 1);
    done(&p);
}

Test(keep, a_number_that_is_another_files_since_an_unseen_close_is_the_programs)
{
    const char *other = in_dir("other");
    static const char *const opens[] = {"open-create B -", "hiddenopen B -"};
    for (size_t i = 0; i < sizeof opens / sizeof opens[0]; i++) {
        struct process p = start_locked();
        expect_put_off(&p, "open A -", "close A", world.primary);
        cr_expect_eq(step(&p, "hiddenclose A").result, 0);
        long number = say(&p, opens[i], other).result;
        cr_expect_eq(step(&p, "getfd B").result, 0, "%s", opens[i]);
        cr_expect_eq(say(&p, "open A -", world.primary).result, number + 1, "%s", opens[i]);
        cr_expect_eq(step(&p, "unlock E").result, 0);
        cr_expect_eq(step(&p, "write B - x").result, 1, "%s", opens[i]);
        cr_expect_eq(step(&p, "close B").result, 0, "%s", opens[i]);
        cr_expect_eq(descriptors_on(&p, other), 0, "%s", opens[i]);
        done(&p);
    }
}

/* Also where it is the same file, open in another way. */
Test(keep, and_is_not_handed_out_to_an_open_of_the_former_kind)
{
    struct process p = start_locked();
    expect_put_off(&p, "open-read A -", "close A", world.primary);
    cr_expect_eq(step(&p, "hiddenclose A").result, 0);
    const long number = say(&p, "hiddenopen B -", world.primary).result;
    cr_expect_neq(say(&p, "open-read C -", world.primary).result, number);
    done(&p);
}

Test(keep, children_do_not_have_it)
{
    struct process p = start_locked();
    expect_put_off(&p, "open A -", "close A", world.primary);
    cr_expect_eq(step(&p, "finds A").result, EBADF);
    cr_expect(has_shared(&p));
    cr_expect_eq(step(&p, "exec").result, 0); /* answered by the new program */
    cr_expect_eq(descriptors_on(&p, world.primary), 0);
    done(&p);
}

Test(keep, a_child_goes_on_with_books_of_its_own)
{
    static const char script[] =
        "import os, sys\n"
        "path, engine_flags = sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC\n"
        "def on_it():\n"
        "    return sum(os.path.realpath('/proc/self/fd/' + f) == path for f in "
        "os.listdir('/proc/self/fd'))\n"
        "def touch():\n"
        "    os.close(os.open(path, os.O_RDWR))\n"
        "engine = os.open(path, engine_flags)\n"
        "touch()\n"
        "assert on_it() == 2, on_it()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    assert on_it() == 1, on_it()\n"
        "    touch()\n"
        "    assert on_it() == 1, on_it()\n"
        "    mine = os.open(path, engine_flags)\n"
        "    touch()\n"
        "    assert on_it() == 3, on_it()\n"
        "    os.close(mine)\n"
        "    assert on_it() == 1, on_it()\n"
        "    os._exit(0)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    char path[PATH_MAX];
    cr_assert_not_null(realpath(world.primary, path));
    struct process p = SHIMMED("/usr/bin/python3", "-c", script, path);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(keep, forks_in_the_middle_leave_children_what_is_theirs)
{
    struct process p =
        SHIMMED_WITH(OPTIONS("--log", "off"), "build/programs/forked", world.primary, "2");
    long children = await_number(&p, "children ");
    cr_expect_gt(children, 20);
    cr_expect_eq(await_number(&p, "wrong "), 0);
    cr_expect_leq(await_number(&p, "more "), children / 10);
    cr_expect_eq(await_number(&p, "failed "), 0);
    cr_expect(has_shared(&p));
    send_line(&p, "end");
    done(&p);
}

/* --- bounds --- */

/* And with a lock that no other description can have beside it. */
static struct process start_writing(void)
{
    struct process p = start_locked();
    cr_assert_eq(step(&p, "lock E - reserved").result, 0);
    return p;
}

Test(keep, at_most_64_are_put_off_and_one_warning_tells_what_more_cost)
{
    struct process p = start_writing();
    cr_assert_eq(step(&p, "limit - - 1024").result, 0);
    cr_assert_eq(say(&p, "openmany - 7", world.primary).result, 70);
    cr_expect_eq(step(&p, "closemany - - 64").result, 0);
    cr_expect(has_shared(&p));
    cr_expect_eq(descriptors_on(&p, world.primary), 71);
    cr_expect_eq(log_count(cost), 0);
    done(&p);

    struct process q = start_writing();
    say(&q, "openmany - 7", world.primary);
    cr_expect_eq(step(&q, "closemany - - 65").result, 0);
    cr_expect_eq(descriptors_on(&q, world.primary), 70);
    cr_expect_eq(log_count(cost), 1);
    step(&q, "unlock E");
    cr_expect_eq(descriptors_on(&q, world.primary), 6);
    done(&q);
}

Test(keep, a_low_limit_of_open_files_is_survived)
{
    struct process plain = PLAIN("build/programs/keeper");
    say(&plain, "engine E -", world.primary);
    step(&plain, "limit - - 64");
    long room = say(&plain, "openmany - -", world.primary).result;
    done(&plain);

    struct process p = start_locked();
    step(&p, "limit - - 64");
    cr_expect_eq(say(&p, "openmany - -", world.primary).result, room);
    cr_expect_eq(step(&p, "closemany - - 45").result, 0);
    cr_expect_eq(say(&p, "openmany - -", "/dev/null").result, 45, "the program has them all again");
    cr_expect_eq(log_count(cost), 1);
    done(&p);
}

Test(keep, of_a_low_limit_only_an_eighth_is_kept_from_the_program)
{
    struct process p = start_writing();
    step(&p, "limit - - 64");
    cr_assert_eq(say(&p, "openmany - 2", world.primary).result, 20);
    cr_expect_eq(step(&p, "closemany - - 8").result, 0);
    cr_expect_eq(descriptors_on(&p, world.primary), 1 + 20);
    cr_expect_eq(log_count(cost), 0);
    done(&p);

    struct process q = start_writing();
    step(&q, "limit - - 64");
    say(&q, "openmany - 2", world.primary);
    cr_expect_eq(step(&q, "closemany - - 9").result, 0);
    cr_expect_eq(descriptors_on(&q, world.primary), 20);
    cr_expect_eq(log_count(cost), 1);
    done(&q);
}

Test(keep, the_last_eight_numbers_are_never_put_off)
{
    char open[16];
    char close[16];
    struct process p = start_locked();
    step(&p, "limit - - 64");
    say(&p, "openmany - 4", "/dev/null");
    for (char a = 'a'; a <= 'z'; a++) {
        snprintf(open, sizeof open, "open %c -", a);
        snprintf(close, sizeof close, "close %c", a);
        long number = say(&p, open, world.primary).result;
        if (number < 0)
            break;
        if (number == 55 || number == 56) {
            unsigned before = descriptors_on(&p, world.primary);
            step(&p, close);
            cr_expect_eq(descriptors_on(&p, world.primary), number < 56 ? before : before - 1);
            cr_expect_eq(log_count(cost), number < 56 ? 0 : 1);
            say(&p, open, world.primary); /* or the next gets the same number */
            if (number == 56)
                break;
        }
    }
    cr_expect_eq(log_count(cost), 1, "it did not come so far");
    done(&p);
}

/* --- a lock that stays for good --- */

/* That many times the program opens a file, makes a child, and closes it: no open gets what may be
 * the child's, too. The lock is there after each, and all but a few have been closed. */
static void expect_carried_over(struct process *p, const char *path, long offset, unsigned times)
{
    unsigned most = 0;
    for (unsigned i = 0; i < times; i++) {
        say(p, "open A -", path);
        step(p, "share - - spawn");
        cr_assert_eq(step(p, "close A").result, 0);
        cr_assert_eq(lock_owner(path, offset), p->pid, "it is gone after %u", i + 1);
        const unsigned now = descriptors_on(p, path);
        most = now > most ? now : most;
    }
    cr_expect_geq(most, 32u, "none was put off");
    cr_expect_leq(most, 40u);
    cr_expect_eq(log_count(cost), 0);
}

Test(keep, of_a_lock_that_stays_any_number_of_copies_that_children_share_may_be_made)
{
    struct process p = start_locked();
    expect_carried_over(&p, world.primary, SHARED_LOCK, 200);
    step(&p, "unlock E");
    cr_expect_eq(descriptors_on(&p, world.primary), 1);
    cr_expect_eq(lock_owner(world.primary, SHARED_LOCK), 0, "nothing stays of it");
    done(&p);
}

Test(keep, of_that_of_the_wal_index_too)
{
    const char *shm = in_dir("chroma.sqlite3-shm");
    struct process p = start_locked();
    say(&p, "engine S -", shm);
    step(&p, "lock S - dms");
    expect_carried_over(&p, shm, DMS_LOCK, 100);
    cr_expect(has_shared(&p));
    step(&p, "close S");
    cr_expect_eq(descriptors_on(&p, shm), 0);
    done(&p);
}

/* Of two, one's own lock among them: the other one's hides nothing, and is not taken for it. */
Test(keep, of_one_that_another_process_has_too)
{
    struct process other = SHIMMED_WITH(OPTIONS("--disable"), "build/programs/keeper");
    say(&other, "engine E -", world.primary);
    step(&other, "lock E - shared");
    struct process p = start_locked();
    for (int i = 0; i < 100; i++) {
        say(&p, "open A -", world.primary);
        step(&p, "share - - fork");
        cr_assert_eq(step(&p, "close A").result, 0);
    }
    cr_expect_leq(descriptors_on(&p, world.primary), 40);
    cr_expect_eq(log_count(cost), 0);
    done(&other);
    cr_expect(has_shared(&p));
    done(&p);
}

/* No other description can have it beside the engine's. */
Test(keep, of_a_lock_to_write_none_is_carried_over)
{
    struct process p = start_writing();
    for (int i = 0; i < 40; i++) {
        say(&p, "open A -", world.primary);
        step(&p, "share - - spawn");
        step(&p, "close A");
    }
    cr_expect_eq(descriptors_on(&p, world.primary), 41);
    cr_expect_eq(lock_owner(world.primary, RESERVED_LOCK), p.pid);
    cr_expect(has_shared(&p));
    done(&p);
}

/* --- streams --- */

Test(keep, a_stream_is_flushed_and_freed_though_its_descriptor_stays)
{
    struct stat st;
    struct process p = start_locked();
    say(&p, "fopen A -", world.primary);
    cr_expect_eq(step(&p, "fputs A - written").result, 0);
    cr_expect_eq(step(&p, "fclose A").result, 0);
    cr_expect(stat(world.primary, &st) == 0 && st.st_size == 7);
    cr_expect(has_shared(&p));
    done(&p);
}

Test(keep, where_the_libc_does_not_let_one_a_stream_is_closed_with_the_warning)
{
    struct process p = SHIMMED("build/programs/keeper-musl");
    say(&p, "engine E -", world.primary);
    step(&p, "lock E - shared");
    expect_put_off(&p, "open A -", "close A", world.primary);
    cr_expect(has_shared(&p));
    say(&p, "fopen A -", world.primary);
    cr_expect_eq(step(&p, "fclose A").result, 0);
    cr_expect_eq(log_count(cost), 1);
    cr_expect(!has_shared(&p));
    done(&p);
}

/* --- in threads, beside the real SQLite --- */

static void expect_crowd(const char *const *options, bool keeps)
{
    struct process other = PLAIN("build/programs/keeper");
    struct process p = spawn_shimmed(
        options, (const char *const[]){"build/programs/touched", world.primary, "2", NULL});
    await_line(&p, "ready");
    say(&other, "engine E -", world.primary);
    step(&other, "lock E - shared"); /* in front of the program's own, for all the time */
    send_line(&p, "go");
    long lost = await_number(&p, "lost ");
    long locks = await_number(&p, "locks ");
    cr_expect_gt(locks, 100);
    if (keeps)
        cr_expect_eq(lost, 0, "%ld of %ld locks lost", lost, locks);
    else
        cr_expect_gt(lost, 0, "no lock lost without the library's help");
    cr_expect_eq(await_number(&p, "left "), 0, "descriptors left after the last connection");
    done(&p);
    done(&other);
}

Test(keep, sixteen_threads_that_poll_cost_sqlite_no_lock)
{
    expect_crowd(OPTIONS("--max-wait", "1ms"), true);
    cr_expect(!log_has(cost));
}

Test(keep, the_same_threads_cost_it_locks_where_it_is_off)
{
    expect_crowd(OPTIONS("--max-wait", "1ms", "--keep-locks", "off"), false);
}

/* Locks lost by the threads of torture/race, whose closes all take 0.2 ms longer than SQLite knows.
 */
static long lost_by_slow_closes(const char *library)
{
    char preload[2 * PATH_MAX];
    char line[128] = "";
    long lost = -1;
    long closes = 0;
    snprintf(preload, sizeof preload, "LD_PRELOAD=build/libraries/slow.so %s", library);
    struct process p = PLAIN("env", preload, "SETTLE_MAX_WAIT=1ms", "SETTLE_LOG=off",
                             "build/torture/race", world.primary, "2");
    cr_assert(read_line(&p, line, sizeof line));
    cr_expect_eq(sscanf(line, "%ld locks lost in %ld closes", &lost, &closes), 2, "%s", line);
    cr_expect_gt(closes, 10); /* a busy machine */
    done(&p);
    return lost;
}

Test(keep, the_race_of_sqlites_own_closes_is_mended)
{
    char own[PATH_MAX];
    cr_assert_not_null(realpath("build/libsettle.so", own));
    cr_expect_gt(lost_by_slow_closes(""), 0, "no lock lost without the library");
    cr_expect_eq(lost_by_slow_closes(own), 0);
}

/* Each has a list of its own of descriptors to close later, and knows nothing of the other's. Where
 * one unlocks, nothing can be put off. */
Test(keep, two_engines_in_one_process_are_not_helped)
{
    struct process p = start_locked();
    say(&p, "engine F -", world.primary);
    cr_expect_eq(step(&p, "unlock F").result, 0);
    cr_expect(!has_shared(&p));
    done(&p);
}

/* Before there is an engine, who only reads is looked at where its name may be a store's. */
Test(keep, a_reader_of_another_name_from_before_the_engine_is_not_known)
{
    const char *other = in_dir("other");
    cr_assert_eq(symlink(world.primary, other), 0);
    struct process p = start();
    cr_assert_geq(say(&p, "open-read A -", other).result, 0);
    say(&p, "engine E -", world.primary);
    step(&p, "lock E - shared");
    cr_expect_eq(step(&p, "close A").result, 0);
    cr_expect(!has_shared(&p));
    done(&p);
}

Test(keep, closes_that_sqlite_itself_puts_off_are_its_own)
{
    static const char script[] =
        "import os, sqlite3, sys\n"
        "path = sys.argv[1]\n"
        "def on_it():\n"
        "    return sum(os.path.realpath('/proc/self/fd/' + f) == path for f in "
        "os.listdir('/proc/self/fd'))\n"
        "a = sqlite3.connect(path, isolation_level=None)\n"
        "a.execute('create table t(a)')\n"
        "b = sqlite3.connect(path)\n"
        "b.execute('select * from t').fetchall()\n"
        "a.execute('begin immediate')\n"
        "b.close()\n"
        "assert on_it() == 2, on_it()\n" /* SQLite waits for its lock to go */
        "os.close(os.open(path, os.O_RDWR))\n"
        "assert on_it() == 3, on_it()\n"
        "a.execute('insert into t values(1)')\n"
        "a.execute('commit')\n"
        "assert on_it() == 1, on_it()\n"
        "a.close()\n"
        "assert on_it() == 0, on_it()\n";
    char path[PATH_MAX];
    cr_assert_not_null(realpath(world.primary, path));
    struct process p = SHIMMED("/usr/bin/python3", "-c", script, path);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}
