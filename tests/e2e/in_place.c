/* The last close of a store that nobody holds asks where it is, by the closing descriptors
 * themselves: a watch of the program's own sees nothing of it, or as little as can be. make cells
 * holds what it answers against what a helper answers. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <libgen.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(in_place, .init = world_begin, .fini = world_end, .timeout = 60);

struct events {
    int opens, closes, reads;
};

static struct events events_of(struct process p, const char *how)
{
    char line[80];
    struct events e = {0, 0, 0};
    cr_assert(read_line(&p, line, sizeof line), "%s: %s", how, errors_of(&p));
    cr_assert_eq(sscanf(line, "opens %d closes %d reads %d", &e.opens, &e.closes, &e.reads), 3);
    cr_expect_eq(finish(&p), 0, "%s", how);
    return e;
}

/* A store of its own for each way. */
static const char *a_store(void)
{
    static char path[PATH_MAX];
    static unsigned number;
    char command[PATH_MAX + 32];
    const char *directory = in_dir("");
    snprintf(path, sizeof path, "%s%u/chroma.sqlite3", directory, number);
    snprintf(command, sizeof command, "mkdir '%s%u' && : >'%s'", directory, number++, path);
    cr_assert_eq(system(command), 0);
    return path;
}

/* Whether the links of a store's directory tell that no other is in it; where they do not, as on
 * Btrfs, it is listed. */
static bool links_tell(const char *store)
{
    char directory[PATH_MAX];
    struct stat st;
    snprintf(directory, sizeof directory, "%s", store);
    cr_assert_eq(stat(dirname(directory), &st), 0);
    return st.st_nlink == 2;
}

/* The events of the close that are the library's: what there are more of than without it. */
static void expect_more_with(const char *const *options, const char *how, struct events more)
{
    const struct events plain = events_of(PLAIN("build/programs/watched", a_store(), how), how);
    const char *store = a_store();
    if (more.reads == 0 && !links_tell(store)) {
        more.opens++;
        more.closes++;
        more.reads++;
    }
    const struct events shimmed =
        events_of(SHIMMED_WITH(options, "build/programs/watched", store, how), how);
    cr_expect_eq(shimmed.opens - plain.opens, more.opens, "%s: %d opens", how,
                 shimmed.opens - plain.opens);
    cr_expect_eq(shimmed.closes - plain.closes, more.closes, "%s: %d closes", how,
                 shimmed.closes - plain.closes);
    cr_expect_eq(shimmed.reads - plain.reads, more.reads, "%s: %d reads", how,
                 shimmed.reads - plain.reads);
}

static void expect_more(const char *how, struct events more)
{
    expect_more_with(OPTIONS("--log", "info"), how, more);
}

static void expect_none(const char *how)
{
    expect_more(how, (struct events){0, 0, 0});
}

static void expect_an_open(const char *how)
{
    expect_more(how, (struct events){1, 1, 0});
}

Test(in_place, a_watch_sees_no_event_of_ours_on_a_free_store)
{
    static const char *const ways[] = {"alone",         "thread", "stream",
                                       "stream thread", "sqlite", "sqlite thread"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        expect_none(ways[i]);
}

Test(in_place, nor_in_wal_mode_even_where_the_wal_stays)
{
    static const char *const ways[] = {"sqlite wal", "sqlite wal thread", "sqlite wal spawn",
                                       "sqlite wal reader", "sqlite wal reader thread"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        expect_none(ways[i]);
}

/* SQLite's own descriptors are closed by a child that executes a program. */
Test(in_place, nor_in_a_process_with_children)
{
    static const char *const ways[] = {"child",         "child thread",         "sqlite child",
                                       "sqlite living", "sqlite living thread", "sqlite spawn",
                                       "sqlite vfork",  "sqlite spawn thread"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        expect_none(ways[i]);
}

/* Over the test's directory, for this process and its children. */
static void mount_overlay(void)
{
    static const char *const parts[] = {"lower", "upper", "work"};
    char options[3 * PATH_MAX + 64];
    cr_assert(unshare(CLONE_NEWNS) == 0 &&
              mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
              mount("none", world.dir, "tmpfs", 0, NULL) == 0);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        cr_assert_eq(mkdir(in_dir(parts[i]), 0755), 0);
    snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", in_dir("lower"),
             in_dir("upper"), in_dir("work"));
    cr_assert_eq(mount("none", world.dir, "overlay", 0, options), 0);
}

Test(in_place, nor_on_overlayfs_where_containers_have_their_files)
{
    static const char *const ways[] = {"alone", "thread", "sqlite thread", "sqlite wal reader"};
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: needs root, to mount it");
        return;
    }
    mount_overlay();
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        expect_none(ways[i]);
    umount2(world.dir, MNT_DETACH);
    umount2(world.dir, MNT_DETACH);
}

/* What a child or a mapping may share is not tried for. */
Test(in_place, a_descriptor_that_somebody_may_share_is_left_alone)
{
    static const char *const ways[] = {
        "living", "living thread", "spawn",       "fork",
        "flock",  "flock thread",  "sqlite fork", "sqlite fork thread"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        expect_an_open(ways[i]);
}

/* By its own close a journal that is kept has told too long ago. */
Test(in_place, of_a_journal_that_is_kept_a_watch_sees_one_open)
{
    expect_an_open("sqlite persist");
}

/* The store's directory is listed for its collections, and three files are asked for in each. Where
 * they have other names, it is listed, too, which both watches see. */
Test(in_place, of_index_files_a_watch_sees_the_store_listed_and_three_opens)
{
    expect_more("sqlite index", (struct events){4, 4, 2});
    expect_more("sqlite index odd", (struct events){6, 6, 4});
}

Test(in_place, a_helper_that_writes_to_the_log_or_the_record_does_not_ask_again)
{
    char record[PATH_MAX + 8];
    const struct events none = {0, 0, 0};
    snprintf(record, sizeof record, "%s-record", world.log);
    expect_more_with(OPTIONS("--record", record, "--log", "info"), "sqlite spawn", none);
    cr_expect_eq(access(record, R_OK), 0);
    expect_more_with(OPTIONS("--log", "debug"), "alone", none);
    expect_more_with(OPTIONS("--log", "debug"), "sqlite spawn", none);
    cr_expect_eq(log_count("unlocked at once"), 2);
    cr_expect_eq(log_count("probes=1 "), 2);
}

#define READER                                                                                     \
    "import sqlite3, sys\n"                                                                        \
    "connection = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)\n"                      \
    "connection.execute('select * from t').fetchall()\n"                                           \
    "print('open', flush=True)\n"                                                                  \
    "sys.stdin.readline()\n"                                                                       \
    "connection.close()\n"                                                                         \
    "print('closed', flush=True)\n"

/* Who only reads cannot remove them. */
Test(in_place, whoever_has_a_wal_that_stays_is_waited_for)
{
    static const struct {
        const char *file, *kind;
    } held[] = {{"chroma.sqlite3-wal", "flock"},
                {"chroma.sqlite3-wal", "posix-read"},
                {"chroma.sqlite3-wal", "ofd"},
                {"chroma.sqlite3-shm", "flock-shared"}};
    char command[PATH_MAX + 64];
    snprintf(command, sizeof command, "sqlite3 '%s' 'pragma journal_mode=wal; create table t(a)'",
             world.primary);
    cr_assert_eq(system(command), 0);
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        struct process p =
            SHIMMED_WITH(OPTIONS("--log", "info"), "/usr/bin/python3", "-c", READER, world.primary);
        await_line(&p, "open");
        struct process holder = hold(held[i].kind, in_dir(held[i].file), 300);
        send_line(&p, "close");
        const uint64_t closed = await_line(&p, "closed");
        cr_expect_geq(closed, released_at(&holder), "%s of %s", held[i].kind, held[i].file);
        cr_expect_eq(finish(&p), 0);
        cr_expect_eq(log_count("File unlocked after polling"), i + 1);
    }
}
