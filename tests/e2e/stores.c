/* Stores of other engines than SQLite: SETTLE_STORES=all, and each by its name. Files as the
 * engines make them stand in for the engines; make stores has the real ones. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(stores, .init = world_begin, .fini = world_end, .timeout = 120);

/* A kind of store: its files, the first of which is the one that is locked. */
struct kind {
    const char *profile;
    const char *primary;
    const char *start; /* what it begins with, */
    size_t length;
    const char *lock;      /* the name of its engine's lock, for programs/keeper */
    const char *others[4]; /* further files of the directory: name=content */
    const char *given;     /* for settle-wait; NULL: the directory */
};
static const struct kind kinds[] = {
    {"duckdb", "x.duckdb", "12345678DUCK\x40\0\0", 16, "whole", {"notes=x"}, "x.duckdb"},
    {"leveldb",
     "LOCK",
     "",
     0,
     "whole",
     {"CURRENT=MANIFEST-000001\n", "MANIFEST-000001=x", "000002.log=x", "LOG=x"},
     NULL},
    {"lmdb", "lock.mdb", "\xde\xc0\xef\xbe", 4, "first", {"data.mdb=x"}, NULL},
    {"hdf5", "x.h5", "\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08", 16, "flock", {"notes=x"}, "x.h5"},
    {"kuzu", "x.kuzu", "KUZU\x27\0\0\0\0\0\0\0\x01\0\0", 16, "whole", {"notes=x"}, "x.kuzu"},
    {"qdrant", ".lock", "tmp lock file", 13, "flock", {"meta.json={}", "storage=x"}, NULL},
    {"h2", "x.mv.db", "H:2,block:2,bloc", 16, "whole", {"x.trace.db=x"}, "x.mv.db"},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static const char *place_of(const struct kind *k, const char *name)
{
    static char paths[4][PATH_MAX];
    static int next;
    char *path = paths[next++ % 4];
    int length = snprintf(path, PATH_MAX, "%s.%s", world.dir, k->profile);
    cr_assert_lt(length, PATH_MAX - NAME_MAX - 2);
    mkdir(path, 0755);
    snprintf(path + length, NAME_MAX + 2, "/%s", name);
    return path;
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "we");
    cr_assert(file != NULL && fwrite(bytes, 1, length, file) == length);
    cr_assert_eq(fclose(file), 0);
}

static void make_others(const struct kind *k)
{
    for (int i = 0; i < 4 && k->others[i] != NULL; i++) {
        char name[64];
        const char *equals = strchr(k->others[i], '=');
        snprintf(name, sizeof name, "%.*s", (int)(equals - k->others[i]), k->others[i]);
        write_file(place_of(k, name), equals + 1, strlen(equals + 1));
    }
}

static const char *make_store(const struct kind *k)
{
    write_file(place_of(k, k->primary), k->start, k->length);
    make_others(k);
    return place_of(k, k->primary);
}

static struct process start(const char *stores)
{
    return SHIMMED_WITH(OPTIONS("--stores", stores), "build/programs/keeper");
}

/* Whether the log says that a close of that store waited for somebody. */
static unsigned waits_that_lasted(void)
{
    return log_count("File unlocked after polling");
}

Test(stores, a_close_waits_for_who_holds_it_and_names_him)
{
    for (int i = 0; i < KINDS; i++) {
        const struct kind *k = &kinds[i];
        const char *path = make_store(k);
        const char *lists[] = {k->profile, "all"};
        for (int j = 0; j < 2; j++) {
            unlink(world.log);
            struct process p = start(lists[j]);
            cr_assert_geq(say(&p, "open A -", path).result, 0);
            struct process h = hold(strcmp(k->lock, "flock") == 0 ? "flock" : "posix", path, 300);
            cr_expect_eq(step(&p, "close A -").result, 0);
            uint64_t closed = now_ns();
            cr_expect_geq(closed, released_at(&h), "%s under %s", k->profile, lists[j]);
            cr_expect_eq(waits_that_lasted(), 1u, "%s under %s", k->profile, lists[j]);
            finish(&p);
        }
    }
}

Test(stores, by_default_none_of_them_is_a_store)
{
    for (int i = 0; i < KINDS; i++) {
        const char *path = make_store(&kinds[i]);
        struct process p = SHIMMED("build/programs/keeper");
        cr_assert_geq(say(&p, "open A -", path).result, 0);
        cr_assert_eq(step(&p, "close A -").result, 0);
        finish(&p);
    }
    cr_expect_eq(log_waits(), 0u);
}

Test(stores, what_else_lies_there_is_no_store)
{
    struct process p = start("all");
    for (int i = 0; i < KINDS; i++) {
        const struct kind *k = &kinds[i];
        make_store(k);
        for (int j = 0; j < 4 && k->others[j] != NULL; j++) {
            char name[64];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(k->others[j], "="), k->others[j]);
            cr_assert_geq(say(&p, "open A -", place_of(k, name)).result, 0);
            cr_assert_eq(step(&p, "close A -").result, 0);
        }
    }
    finish(&p);
    cr_expect_eq(log_waits(), 0u);
    cr_expect_not(log_has("warning"));
}

Test(stores, a_lock_file_beside_nothing_is_none)
{
    struct process p = start("all");
    for (int i = 0; i < KINDS; i++) {
        const struct kind *k = &kinds[i];
        if (k->given != NULL)
            continue;
        const char *path = place_of(k, k->primary);
        write_file(path, k->start, k->length);
        cr_assert_geq(say(&p, "open A -", path).result, 0);
        cr_assert_eq(step(&p, "close A -").result, 0);
    }
    /* CURRENT names a manifest */
    write_file(place_of(&kinds[1], "CURRENT"), "x", 1);
    cr_assert_geq(say(&p, "open A -", place_of(&kinds[1], "LOCK")).result, 0);
    cr_assert_eq(step(&p, "close A -").result, 0);
    finish(&p);
    cr_expect_eq(log_waits(), 0u);
}

/* The engines lock first, and write then. */
Test(stores, one_that_is_made_while_it_is_open_is_known_at_its_close)
{
    for (int i = 0; i < KINDS; i++) {
        const struct kind *k = &kinds[i];
        unlink(world.log);
        struct process p = start("all");
        cr_assert_geq(say(&p, "open-create A -", place_of(k, k->primary)).result, 0);
        const char *path = make_store(k);
        struct process h = hold(strcmp(k->lock, "flock") == 0 ? "flock" : "posix", path, 300);
        cr_expect_eq(step(&p, "close A -").result, 0);
        uint64_t closed = now_ns();
        cr_expect_geq(closed, released_at(&h), "%s", k->profile);
        cr_expect_eq(waits_that_lasted(), 1u, "%s", k->profile);
        finish(&p);
    }
}

Test(stores, whom_the_lock_is_refused_has_nothing_to_wait_for)
{
    for (int i = 0; i < KINDS; i++) {
        const struct kind *k = &kinds[i];
        const char *path = make_store(k);
        struct process p = start("all");
        struct process h = hold(strcmp(k->lock, "flock") == 0 ? "flock" : "posix", path, 1500);
        cr_assert_geq(say(&p, "open A -", path).result, 0);
        cr_assert_eq(say(&p, "lock A -", k->lock).result, -1, "%s", k->profile);
        uint64_t began = now_ns();
        cr_expect_eq(step(&p, "close A -").result, 0);
        cr_expect_lt(now_ns() - began, 500u * MS, "%s", k->profile);
        finish(&p);
        finish(&h);
    }
    cr_expect_eq(log_waits(), 0u);
}

/* Kuzu opens what lies beside a database, is refused the lock, never closes the database, and tries
 * again: the close of what lies beside it would be the last. */
Test(stores, what_lies_beside_is_no_reason_to_wait_for_whom_the_lock_is_refused)
{
    static const int with[] = {0, 4};
    static const char *const endings[] = {".wal", ".shadow"};
    for (size_t i = 0; i < sizeof with / sizeof with[0]; i++) {
        const struct kind *k = &kinds[with[i]];
        char beside[PATH_MAX];
        char name[64];
        const char *path = make_store(k);
        snprintf(name, sizeof name, "%s%s", k->primary, endings[i]);
        snprintf(beside, sizeof beside, "%s", place_of(k, name));
        write_file(beside, "x", 1);
        struct process p = start("all");
        struct process h = hold("posix", path, 3000);
        for (int n = 0; n < 2; n++) {
            cr_assert_geq(say(&p, n == 0 ? "open B -" : "open D -", path).result, 0);
            cr_assert_geq(say(&p, "open C -", beside).result, 0);
            cr_assert_eq(say(&p, n == 0 ? "lock B -" : "lock D -", k->lock).result, -1);
            cr_expect_lt(step(&p, "close C -").took, 500u * MS, "%s, %d", k->profile, n);
        }
        finish(&p);
        kill(h.pid, SIGKILL);
        finish(&h);
    }
    cr_expect_eq(log_waits(), 0u);
}

/* By flock and OFD the lock is the descriptor's, and nothing has to be kept. */
Test(stores, a_program_keeps_the_locks_of_its_engine)
{
    for (int i = 0; i < KINDS; i++) {
        const struct kind *k = &kinds[i];
        if (strcmp(k->lock, "flock") == 0)
            continue;
        const char *path = make_store(k);
        struct process p = start("all");
        cr_assert_geq(say(&p, "open-cloexec E -", path).result, 0);
        cr_assert_eq(say(&p, "lock E -", k->lock).result, 0);
        cr_assert_geq(say(&p, "open-read A -", path).result, 0);
        cr_assert_eq(step(&p, "close A -").result, 0);
        cr_expect_eq(lock_owner(path, 0), p.pid, "%s: by a close that only read", k->profile);
        cr_assert_geq(say(&p, "open A -", path).result, 0);
        cr_assert_eq(step(&p, "close A -").result, 0);
        cr_expect_eq(lock_owner(path, 0), p.pid, "%s", k->profile);
        cr_assert_eq(step(&p, "unlock E -").result, 0);
        cr_expect_eq(lock_owner(path, 0), 0, "%s: not beyond the engine's own", k->profile);
        cr_assert_eq(step(&p, "close E -").result, 0);
        finish(&p);
    }
}

Test(stores, the_close_of_the_engines_last_descriptor_lets_go)
{
    const char *path = make_store(&kinds[0]);
    struct process p = start("duckdb");
    cr_assert_geq(say(&p, "open-cloexec E -", path).result, 0);
    cr_assert_eq(say(&p, "lock E -", "whole").result, 0);
    cr_assert_geq(say(&p, "open-read A -", path).result, 0);
    cr_assert_eq(step(&p, "close A -").result, 0);
    cr_assert_eq(step(&p, "close E -").result, 0);
    cr_expect_eq(lock_owner(path, 0), 0);
    finish(&p);
}

static uint64_t open_time(struct process *p, const char *command, const char *path)
{
    const uint64_t began = now_ns();
    cr_expect_geq(say(p, command, path).result, 0);
    return now_ns() - began;
}

/* Somebody else may be waiting for that one. */
Test(stores, while_the_engine_has_a_lock_no_use_waits)
{
    const char *path = make_store(&kinds[2]);
    struct process p =
        SHIMMED_WITH(OPTIONS("--stores", "all", "--max-wait", "1"), "build/programs/keeper");
    struct process writer = PLAIN("build/programs/keeper");
    cr_assert_geq(say(&writer, "open E -", path).result, 0);
    cr_assert_eq(step(&writer, "lock E - own").result, 0);
    cr_assert_geq(say(&p, "open-cloexec E -", path).result, 0);
    cr_assert_eq(step(&p, "lock E - first").result, 0);
    cr_expect_lt(open_time(&p, "open-read A -", path), 500u * MS);
    cr_assert_eq(step(&p, "unlock E -").result, 0);
    cr_expect_geq(open_time(&p, "open-read B -", path), 900u * MS);
    finish(&writer);
    finish(&p);
}

/* --- who comes later --- */

static bool by_flock(const struct kind *k)
{
    return strcmp(k->lock, "flock") == 0;
}

/* The engine locks a store, by that lock, and lets go; another process takes it for a time, and the
 * engine closes, and ends. Returns how long that took. */
static uint64_t handed_over_with(const char *const *options, const struct kind *k, const char *lock,
                                 const char *successor, unsigned ms)
{
    const char *path = make_store(k);
    struct process p = spawn_shimmed(options, OPTIONS("build/programs/keeper"));
    cr_assert_geq(say(&p, "open-cloexec E -", path).result, 0);
    cr_assert_eq(say(&p, "lock E -", lock).result, 0);
    cr_assert_eq(step(&p, by_flock(k) ? "lock E - flock-none" : "unlock E -").result, 0);
    struct process h = hold(successor, path, ms);
    uint64_t began = now_ns();
    cr_expect_eq(step(&p, "close E -").result, 0);
    finish(&p);
    uint64_t took = now_ns() - began;
    finish(&h);
    return took;
}

static uint64_t handed_over(const struct kind *k, const char *lock, const char *successor,
                            unsigned ms)
{
    return handed_over_with(OPTIONS("--stores", "all"), k, lock, successor, ms);
}

Test(stores, who_holds_it_after_an_engine_that_had_it_alone_came_later)
{
    for (int i = 0; i < KINDS; i++) {
        const struct kind *k = &kinds[i];
        if (strcmp(k->profile, "lmdb") == 0)
            continue;
        unlink(world.log);
        cr_expect_lt(handed_over(k, k->lock, by_flock(k) ? "flock" : "posix", 1500), 500u * MS,
                     "%s", k->profile);
        cr_expect(log_has("whoever has it now came later"), "%s", k->profile);
        cr_expect_not(log_has("warning"), "%s", k->profile);
    }
}

/* Nor does the program's end owe anything to him. */
Test(stores, with_trigger_use_the_exit_waits_for_none_that_was_handed_over)
{
    const char *const options[] = {"--stores", "all", "--trigger", "use", NULL};
    cr_expect_lt(handed_over_with(options, &kinds[0], "whole", "posix", 1500), 500u * MS);
    cr_expect_geq(handed_over_with(options, &kinds[0], "whole-read", "posix-read", 500), 300u * MS);
}

/* A DuckDB or HDF5 file that is only read is shared; LMDB always is. */
Test(stores, who_shares_it_is_waited_for)
{
    cr_expect_geq(handed_over(&kinds[0], "whole-read", "posix-read", 500), 300u * MS);
    cr_expect_geq(handed_over(&kinds[3], "flock-shared", "flock-shared", 500), 300u * MS);
    cr_expect_geq(handed_over(&kinds[2], "first", "posix-read", 500), 300u * MS);
}

/* By a lock that its own does not exclude he may have been there before. */
Test(stores, who_holds_it_by_another_kind_of_lock_is_waited_for)
{
    cr_expect_geq(handed_over(&kinds[0], "whole", "flock", 500), 300u * MS);
    cr_expect_geq(handed_over(&kinds[3], "flock", "posix", 500), 300u * MS);
}

/* It lists its directory while it works, which nobody has to be told. */
Test(stores, an_engine_that_lists_its_own_directory_does_not_use_it)
{
    static const char script[] = "import fcntl, os, sys\n"
                                 "fd = os.open(sys.argv[1] + '/LOCK', os.O_RDWR)\n"
                                 "fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
                                 "os.listdir(sys.argv[1]); os.close(fd)\n";
    const char *path = make_store(&kinds[1]);
    char directory[PATH_MAX];
    snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(path, '/') - path), path);
    struct process p =
        SHIMMED_WITH(OPTIONS("--stores", "leveldb"), "/usr/bin/python3", "-c", script, directory);
    cr_expect_eq(finish(&p), 0);
    cr_expect_not(log_has("never closed"));
    cr_expect_eq(log_waits(), 1u);
}

static int run(const char *const *command)
{
    static struct process p;
    p = spawn_plain(command);
    return finish(&p);
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

Test(stores, settle_wait_knows_each_by_its_directory_or_its_file)
{
    for (int i = 0; i < KINDS; i++) {
        const struct kind *k = &kinds[i];
        const char *path = make_store(k);
        char given[PATH_MAX];
        snprintf(given, sizeof given, "%.*s/%s", (int)(strrchr(path, '/') - path), path,
                 k->given == NULL ? "" : k->given);
        cr_expect_eq(RUN("build/settle-wait", given), 0, "%s", k->profile);
        struct process h = hold(strcmp(k->lock, "flock") == 0 ? "flock" : "posix", path, 10000);
        struct process w = PLAIN("build/settle-wait", "--max-wait", "50ms", given);
        char pid[32];
        snprintf(pid, sizeof pid, "pid %d (holder)", (int)h.pid);
        cr_expect_eq(finish(&w), 1, "%s", k->profile);
        cr_expect(strstr(errors_of(&w), pid) != NULL, "%s: %s", k->profile, errors_of(&w));
        struct process l = PLAIN("build/settle-wait", "--list", "--json", given);
        char line[4096];
        snprintf(pid, sizeof pid, "\"pid\":%d", (int)h.pid);
        cr_expect(read_line(&l, line, sizeof line) && strstr(line, pid) != NULL, "%s: %s",
                  k->profile, line);
        cr_expect_eq(finish(&l), 1, "%s", k->profile);
        send_line(&h, "");
        kill(h.pid, SIGKILL);
        finish(&h);
    }
}

Test(stores, what_lies_beside_a_lock_file_leads_to_it)
{
    const char *path = make_store(&kinds[2]);
    struct process h = hold("posix", path, 10000);
    cr_expect_eq(RUN("build/settle-wait", "--max-wait", "20ms", place_of(&kinds[2], "data.mdb")),
                 1);
    kill(h.pid, SIGKILL);
    finish(&h);
}

Test(stores, a_sidecar_of_its_own_counts)
{
    const char *path = make_store(&kinds[0]);
    write_file(place_of(&kinds[0], "x.duckdb.wal"), "x", 1);
    struct process h = hold("posix", place_of(&kinds[0], "x.duckdb.wal"), 10000);
    cr_expect_eq(RUN("build/settle-wait", "--max-wait", "20ms", path), 1);
    kill(h.pid, SIGKILL);
    finish(&h);
}

Test(stores, a_directory_of_no_kind_is_told_what_would_be_one)
{
    struct process w = PLAIN("build/settle-wait", "/");
    cr_expect_eq(finish(&w), 3);
    cr_expect(strstr(errors_of(&w), "expected chroma.sqlite3 (chroma), LOCK beside CURRENT "
                                    "(leveldb), lock.mdb beside data.mdb (lmdb), .lock beside "
                                    "meta.json (qdrant) in it") != NULL,
              "%s", errors_of(&w));
}
