/* The table of kinds of store: what their names, contents and directories are recognised by, and
 * what only looks alike. */
#include "config/profile.h"
#include "base/glob.h"
#include "commands/about.h"

#include "unit.h"

static bool directory_matches(const char *dirs, const char *directory)
{
    return profile_directory_matches(dirs, directory, strlen(directory));
}

/* One of a list, without the slashes that it ends with. */
static bool glob_matches_directory(const char *glob, const char *directory)
{
    char alone[64];
    snprintf(alone, sizeof alone, "%s", glob);
    for (size_t length = strlen(alone); length > 1 && alone[length - 1] == '/'; length--)
        alone[length - 1] = '\0';
    return glob_matches(alone, directory);
}

static struct named named_by(profile_set set, const char *dirs, const char *path)
{
    struct named n;
    profile_name(set, dirs, path, &n);
    return n;
}

TestSuite(profile, .timeout = 10);

#define all ((1u << profile_count) - 1)

static const struct profile *profile_called(const char *name)
{
    for (int i = 0; i < profile_count; i++)
        if (strcmp(profiles[i].name, name) == 0)
            return &profiles[i];
    cr_assert_fail("no profile %s", name);
    return NULL;
}

/* Every path, in the store /s, that the tables of a profile make: calls look for each. */
static void for_each_name(const struct profile *p,
                          void (*look)(const struct profile *, const char *, enum role))
{
    char path[PATH_MAX];
    const char *ending;
    if (p->primary[0] != '\0') {
        snprintf(path, sizeof path, "/s/%s", p->primary);
        look(p, path, ROLE_PRIMARY);
        for (int i = 0; (ending = profile_sidecar(p, i)) != NULL; i++) {
            snprintf(path, sizeof path, "/s/%s%s", p->primary, ending);
            look(p, path, ROLE_SIDECAR);
        }
    }
    for (int i = 0; (ending = profile_secondary(p, i)) != NULL; i++) {
        snprintf(path, sizeof path, "/s/collection/data%s", ending);
        look(p, path, ROLE_SECONDARY);
    }
}

static unsigned names_seen;

static void may_match(const struct profile *p, const char *path, enum role role)
{
    profile_set only = 1u << (p - profiles);
    names_seen++;
    if (p->beside[0] != '\0') {
        cr_expect(profile_of_lock_name(only, path), "%s", path);
        cr_expect(profile_of_lock_name(all, path + strlen("/s/")), "%s", path);
        cr_expect_not(profile_of_lock_name(0, path), "%s", path);
        return;
    }
    cr_expect(profile_may_match(only, path), "%s", path);
    cr_expect(profile_may_match(only, strrchr(path, '/') + 1), "%s, without its directory", path);
    cr_expect(profile_may_match(all, path), "%s, with all profiles", path);
    cr_expect_not(profile_may_match(0, path), "%s, without any profile", path);
    (void)role;
}

Test(profile, the_quick_look_passes_every_name_that_the_tables_make)
{
    for (int i = 0; i < profile_count; i++)
        for_each_name(&profiles[i], may_match);
    cr_expect_eq(names_seen, 9u);
}

static void has_role(const struct profile *p, const char *path, enum role role)
{
    char primary[PATH_MAX];
    struct named n = named_by(all, "", path);
    snprintf(primary, sizeof primary, "/s/%s", p->primary);
    cr_expect_eq(n.role, role, "%s", path);
    cr_expect_eq(n.profile, p, "%s", path);
    cr_expect_str_eq(n.primary, primary);
}

Test(profile, every_name_of_the_tables_leads_to_its_primary)
{
    for (int i = 0; i < profile_count; i++)
        for_each_name(&profiles[i], has_role);
}

Test(profile, names_that_only_look_alike_are_nothing)
{
    static const char *const paths[] = {
        "/s/xchroma.sqlite3",
        "/s/chroma.sqlite3x",
        "/s/chroma.sqlite",
        "/s/-wal",
        "/s/chroma.sqlite3-wal2",
        "/s/chroma.sqlite3--wal",
        "/s/c/.bin",
        "/s/c/bin",
        "/s/chroma.sqlite3/",
        "/s/notes.txt",
        "/",
        "",
    };
    profile_set chroma = profile_select("chroma", "");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        cr_expect_eq(named_by(chroma, "", paths[i]).role, ROLE_NONE, "%s", paths[i]);
        cr_expect_not(profile_may_match(chroma, paths[i]), "%s", paths[i]);
    }
}

Test(profile, a_store_may_lie_in_the_root_directory)
{
    profile_set chroma = profile_select("chroma", "");
    cr_expect_str_eq(named_by(chroma, "", "/chroma.sqlite3-wal").primary, "/chroma.sqlite3");
    cr_expect_str_eq(named_by(chroma, "", "/collection/x.bin").primary, "/chroma.sqlite3");
    cr_expect_eq(named_by(chroma, "", "/x.bin").role, ROLE_NONE, "there is no store above /");
}

Test(profile, a_path_whose_primary_has_too_long_a_name_is_nothing)
{
    profile_set chroma = profile_select("chroma", "");
    char path[PATH_MAX];
    memset(path, 'd', sizeof path);
    path[0] = '/';
    strcpy(path + sizeof path - sizeof "/c/x.bin", "/c/x.bin");
    cr_expect_eq(named_by(chroma, "", path).role, ROLE_NONE);
    strcpy(path + sizeof path - 40, "/c/x.bin");
    cr_expect_eq(named_by(chroma, "", path).role, ROLE_SECONDARY);
}

Test(profile, by_content_every_file_is_a_candidate_and_a_sidecar_has_its_database)
{
    profile_set set = profile_select("sqlite", "");
    struct named n = named_by(set, "", "/d/notes.db");
    cr_expect_eq(n.role, ROLE_CANDIDATE);
    cr_expect_eq(n.profile, profile_called("sqlite"));
    cr_expect_str_eq(n.primary, "/d/notes.db");
    n = named_by(set, "", "/d/notes.db-journal");
    cr_expect_eq(n.role, ROLE_SIDECAR);
    cr_expect_str_eq(n.primary, "/d/notes.db");
    cr_expect_eq(named_by(set, "", "/d/-wal").role, ROLE_CANDIDATE, "no sidecar of nothing");
    cr_expect_str_eq(named_by(set, "", "/d/-wal").primary, "/d/-wal");
}

Test(profile, a_name_decides_before_the_content)
{
    profile_set set = profile_select("sqlite:chroma", "");
    cr_expect_eq(named_by(set, "", "/s/chroma.sqlite3").profile, profile_called("chroma"));
    cr_expect_eq(named_by(set, "", "/s/c/x.bin").role, ROLE_SECONDARY);
    cr_expect(profile_by_content(set));
    cr_expect_not(profile_by_content(profile_select("chroma", "/d")));
}

Test(profile, files_directly_in_a_tracked_directory_are_primaries)
{
    const char *dirs = "/srv/:/data/*";
    profile_set set = profile_select("chroma", dirs);
    struct named n = named_by(set, dirs, "/data/a/x.db");
    cr_expect_eq(n.role, ROLE_PRIMARY);
    cr_expect_eq(n.profile, profile_called("directory"));
    n = named_by(set, dirs, "/data/a/x.db-shm");
    cr_expect_eq(n.role, ROLE_SIDECAR);
    cr_expect_str_eq(n.primary, "/data/a/x.db");
    cr_expect_eq(named_by(set, dirs, "/srv/x").role, ROLE_PRIMARY);
    cr_expect_eq(named_by(set, dirs, "/data/a/b/x.db").role, ROLE_NONE, "* matches no slash");
    cr_expect_eq(named_by(set, dirs, "/data/x.db").role, ROLE_NONE);
    cr_expect_eq(named_by(set, dirs, "/srv/a/x.db").role, ROLE_NONE);
}

Test(profile, a_directory_that_was_named_says_more_than_a_files_ending)
{
    const char *dirs = "/srv";
    profile_set set = profile_select("chroma:sqlite", dirs);
    static const char *const paths[] = {"/srv/index.bin", "/srv/model.pickle", "/srv/x.db"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct named n = named_by(set, dirs, paths[i]);
        cr_expect_eq(n.role, ROLE_PRIMARY, "%s", paths[i]);
        cr_expect_eq(n.profile, profile_called("directory"), "%s", paths[i]);
        cr_expect_str_eq(n.primary, paths[i]);
    }
    cr_expect_eq(named_by(set, dirs, "/srv/chroma.sqlite3").profile, profile_called("chroma"));
    cr_expect_eq(named_by(set, dirs, "/other/c/index.bin").role, ROLE_SECONDARY);
}

Test(profile, a_glob_matches_as_a_shell_would)
{
    cr_expect(directory_matches("/tmp/delta-*", "/tmp/delta-1"));
    cr_expect_not(directory_matches("/tmp/delta-*", "/tmp/delta-1/x"));
    cr_expect_not(directory_matches("/tmp/*", "/tmp/.hidden"));
    cr_expect(directory_matches("/a:/b//:/c", "/b"));
    cr_expect(directory_matches("::/c", "/c"));
    cr_expect(directory_matches("/", "/"));
    cr_expect_not(directory_matches("", "/a"));
    cr_expect_not(directory_matches("/a", "/ab"));
}

/* Of each glob of a list, the first look too, which is for the beginnings alone. */
Test(profile, each_glob_of_a_list_matches_as_it_does_alone)
{
    static const char *const globs[] = {"/a",   "/a/",   "/a//", "/",     "/a/b",  "/a/b*",
                                        "/a/?", "/[ab]", "/\\a", "/ab/*", "/*/b/", "relative",
                                        "*",    "?a",    "[/]a", "\\/a",  "/a\\",  "/b/a"};
    static const char *const directories[] = {"/",  "/a",    "/ab",   "/a/b",
                                              "/b", "/a/bc", "/ab/c", "/a:/b"};
    const size_t count = sizeof globs / sizeof globs[0];
    for (size_t d = 0; d < sizeof directories / sizeof directories[0]; d++)
        for (size_t i = 0; i < count * count; i++) {
            const char *first = globs[i / count], *second = globs[i % count];
            char list[64];
            const bool expected = glob_matches_directory(first, directories[d]) ||
                                  glob_matches_directory(second, directories[d]);
            snprintf(list, sizeof list, "%s:%s", first, second);
            cr_expect_eq(directory_matches(list, directories[d]), expected, "%s of %s",
                         directories[d], list);
        }
}

Test(profile, only_what_is_listed_is_on)
{
    profile_set chroma = 1u << (profile_called("chroma") - profiles);
    profile_set sqlite = 1u << (profile_called("sqlite") - profiles);
    profile_set directory = 1u << (profile_called("directory") - profiles);
    cr_expect_eq(profile_select("chroma", ""), chroma);
    cr_expect_eq(profile_select("sqlite:chroma", ""), chroma | sqlite);
    cr_expect_eq(profile_select("sqlite", "/d"), sqlite | directory);
    cr_expect_eq(profile_select("chromatic:xsqlite", ""), 0u);
    cr_expect_eq(profile_select("all", ""), profile_all());
    cr_expect_eq(profile_select("all", "/d"), all);
}

Test(profile, a_list_is_known_if_all_its_names_are)
{
    cr_expect(profile_list_known("chroma"));
    cr_expect(profile_list_known("sqlite:chroma"));
    cr_expect(profile_list_known("all"));
    cr_expect(profile_list_known("lmdb:all"));
    static const char *const unknown[] = {
        "",        ":",         "chroma:",       ":chroma", "Chroma",         "chrom",
        "chromas", "directory", "chroma,sqlite", " chroma", "chroma::sqlite", "al",
        "all:",    "alls"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        cr_expect_not(profile_list_known(unknown[i]), "'%s'", unknown[i]);
}

Test(profile, the_names_of_the_list_are_known)
{
    char names[256];
    struct text t = text_in(names, sizeof names);
    profile_list_names(&t);
    for (int i = 0; i < profile_count; i++)
        cr_expect_eq(profile_list_known(profiles[i].name), strstr(names, profiles[i].name) != NULL,
                     "%s", profiles[i].name);
}

Test(profile, a_quick_look_reads_any_byte)
{
    profile_set set = profile_select("chroma:sqlite", "");
    cr_expect_not(profile_may_match(set, "/d/\303\274")); /* UBSan watches */
}

Test(profile, the_first_look_ends_what_programs_open_most)
{
    static const char *const paths[] = {
        "/etc/passwd", "a.txt",        "a.json",    "a.html",     "a.yaml", "a.py",  "libc.so.6",
        "a.so",        "a.pyc",        "a.js",      "locale.gen", "a.c",    "a.h",   "a.o",
        "ld.so.cache", "a.log",        "/dev/null", "a.conf",     "status", "maps",  "",
        "x",           "/dev/urandom", "Makefile",  "/bin",       "main",   "local", "profile",
        "a.al",        "a.hm",         "bin",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        cr_expect_not(profile_ending_possible(paths[i]), "%s", paths[i]);
}

/* --- by content --- */

/* What each engine writes at the beginning, as its documentation or a file of its own has it. */
static const struct start {
    const char *profile;
    const char *bytes;
    size_t length;
    uint64_t size;
} starts[] = {
    {"sqlite", "SQLite format 3\0", 16, 4096},
    {"duckdb",
     "\x12\x34\x56\x78\x9a\xbc\xde\xf0"
     "DUCK\x40\0\0",
     16, 12288},
    {"hdf5", "\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08", 16, 800},
    {"kuzu", "KUZU\x27\0\0\0\0\0\0\0\0\0\0", 16, 4096},
    {"h2", "H:2,block:2,bloc", 16, 12288},
};

Test(profile, a_store_is_known_by_its_first_bytes)
{
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        const struct start *s = &starts[i];
        const struct profile *found = profile_of_content(all, s->bytes, s->length, s->size);
        cr_expect_eq(found, profile_called(s->profile), "%s", s->profile);
        profile_set others = all & ~(1u << (profile_called(s->profile) - profiles));
        cr_expect_null(profile_of_content(others, s->bytes, s->length, s->size), "%s", s->profile);
        for (size_t length = 0; length < profile_called(s->profile)->magic_size; length++)
            cr_expect_null(profile_of_content(all, s->bytes, length, s->size), "%s: %zu bytes",
                           s->profile, length);
    }
}

Test(profile, every_row_by_content_has_a_sample_here)
{
    for (int i = 0; i < profile_count; i++) {
        bool has = !profiles[i].by_content;
        for (size_t k = 0; k < sizeof starts / sizeof starts[0]; k++)
            has |= strcmp(starts[k].profile, profiles[i].name) == 0;
        cr_expect(has, "%s", profiles[i].name);
    }
}

Test(profile, an_sqlite_database_is_a_whole_number_of_blocks)
{
    cr_expect_null(profile_of_content(all, starts[0].bytes, 16, 0));
    cr_expect_null(profile_of_content(all, starts[0].bytes, 16, 100));
    cr_expect_null(profile_of_content(all, starts[0].bytes, 16, 513));
    cr_expect_not_null(profile_of_content(all, starts[0].bytes, 16, 512));
}

Test(profile, other_bytes_are_no_stores)
{
    static const char *const others[] = {"DUCK            ", "SQLite format 2\0",
                                         "kuzu            ", "xH:2,           ",
                                         "\x7f"
                                         "ELF            "};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        cr_expect_null(profile_of_content(all, others[i], 16, 512), "%s", others[i]);
}

Test(profile, each_kind_of_store_has_sidecars_of_its_own)
{
    profile_set duckdb = profile_select("duckdb", "");
    struct named n = named_by(duckdb, "", "/d/x.duckdb.wal");
    cr_expect_eq(n.role, ROLE_SIDECAR);
    cr_expect_str_eq(n.primary, "/d/x.duckdb");
    cr_expect(profile_may_be_sidecar(duckdb, "/d/x.duckdb.wal"));
    cr_expect(profile_may_be_sidecar(duckdb, "/d/x.duckdb.wal.checkpoint"));
    cr_expect_eq(named_by(duckdb, "", "/d/x.duckdb-wal").role, ROLE_CANDIDATE);
    cr_expect_not(profile_may_be_sidecar(duckdb, "/d/x.duckdb-wal"));
    cr_expect_not(profile_may_be_sidecar(duckdb, ".wal"), "no sidecar of nothing");
    cr_expect_eq(named_by(profile_select("leveldb", ""), "", "/d/LOCK-wal").role, ROLE_NONE);
    cr_expect_str_eq(profile_sidecar(NULL, 0), "-wal", "SQLite's, of what belongs to none");
}

Test(profile, what_has_to_lie_beside_a_lock_file)
{
    char path[PATH_MAX];
    cr_expect(profile_beside(profile_called("leveldb"), "/d/LOCK", path, sizeof path));
    cr_expect_str_eq(path, "/d/CURRENT");
    cr_expect(profile_beside(profile_called("qdrant"), "/.lock", path, sizeof path));
    cr_expect_str_eq(path, "/meta.json");
    cr_expect_not(profile_beside(profile_called("lmdb"), "/d/lock.mdb", path, 8));
    cr_expect_eq(profile_of_name("/d/data.mdb"), profile_called("lmdb"));
    cr_expect_eq(profile_of_name("LOCK"), profile_called("leveldb"));
    cr_expect_null(profile_of_name("/d/LOCKS"));
}

Test(profile, what_tells_of_a_store_is_known_of_a_set)
{
    static const struct {
        const char *stores;
        bool by_name, by_content, by_lock_name;
    } sets[] = {{"chroma", true, false, false},     {"sqlite", false, true, false},
                {"leveldb", false, false, true},    {"chroma:qdrant", true, false, true},
                {"duckdb:lmdb", false, true, true}, {"all", true, true, true}};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        profile_set set = profile_select(sets[i].stores, "");
        cr_expect_eq(profile_by_name(set), sets[i].by_name, "%s", sets[i].stores);
        cr_expect_eq(profile_by_content(set), sets[i].by_content, "%s", sets[i].stores);
        cr_expect_eq(profile_by_lock_name(set), sets[i].by_lock_name, "%s", sets[i].stores);
        cr_expect_not(profile_by_directory(set), "%s", sets[i].stores);
    }
    cr_expect(profile_by_directory(profile_select("chroma", "/d")));
}

Test(profile, rows_fit_their_table)
{
    for (int i = 0; i < profile_count; i++) {
        const struct profile *p = &profiles[i];
        cr_expect_leq((size_t)p->magic_at + p->magic_size, (size_t)PROFILE_MAGIC_MOST);
        cr_expect_lt(strlen(p->name), sizeof p->name, "%s", p->name);
        cr_expect_lt(strlen(p->primary), sizeof p->primary, "%s", p->name);
        cr_expect_eq(p->by_content, p->magic_size != 0, "%s", p->name);
        cr_expect_eq(p->by_directory, about_profile(p) == NULL, "%s", p->name);
        cr_expect(p->called[0] != '\0' && p->called[sizeof p->called - 1] == '\0', "%s", p->name);
    }
}
