/* Globs of directories, against fnmatch(3) and by example. */
#include "base/glob.h"

#include "unit.h"

#include <fnmatch.h>

TestSuite(glob, .timeout = 30);

Test(glob, a_star_matches_within_one_name_only)
{
    cr_expect(glob_matches("/tmp/delta-*", "/tmp/delta-1"));
    cr_expect(glob_matches("/tmp/delta-*", "/tmp/delta-"));
    cr_expect(glob_matches("/*/x/*", "/a/x/b"));
    cr_expect_not(glob_matches("/tmp/*", "/tmp/a/b"));
    cr_expect_not(glob_matches("/tmp*", "/tmp/a"));
}

Test(glob, a_hidden_name_is_matched_by_a_period_only)
{
    cr_expect(glob_matches("/tmp/.*", "/tmp/.a"));
    cr_expect(glob_matches("/tmp/a*", "/tmp/a.b"));
    cr_expect_not(glob_matches("/tmp/*", "/tmp/.a"));
    cr_expect_not(glob_matches("/tmp/*.a", "/tmp/.a"));
    cr_expect_not(glob_matches("/tmp/?a", "/tmp/.a"));
    cr_expect_not(glob_matches("/tmp/[.]a", "/tmp/.a"));
}

Test(glob, sets_have_ranges_and_can_be_negated)
{
    cr_expect(glob_matches("/[a-c]1", "/b1"));
    cr_expect_not(glob_matches("/[a-c]1", "/d1"));
    cr_expect(glob_matches("/[!a-c]1", "/d1"));
    cr_expect_not(glob_matches("/[^a-c]1", "/a1"));
    cr_expect(glob_matches("/[]x]", "/]"));
    cr_expect(glob_matches("/[a-]", "/-"));
    cr_expect(glob_matches("/[\\]]", "/]"));
    cr_expect_not(glob_matches("/a[!b]c", "/a/c"));
    cr_expect(glob_matches("/[\x80-\xff]", "/\xe9"));
}

Test(glob, a_bracket_that_nothing_closes_in_its_name_is_itself)
{
    cr_expect(glob_matches("/a[b", "/a[b"));
    cr_expect(glob_matches("/a[b/c]", "/a[b/c]"));
    cr_expect_not(glob_matches("/a[b", "/ab"));
}

Test(glob, a_backslash_makes_the_next_one_itself)
{
    cr_expect(glob_matches("/a\\*", "/a*"));
    cr_expect_not(glob_matches("/a\\*", "/ab"));
    cr_expect(glob_matches("/a\\", "/a\\"), "at the end it is itself");
}

Test(glob, it_covers_what_is_in_a_directory_and_below_and_not_the_directory_itself)
{
    cr_expect(glob_covers("/srv", "/srv/file"));
    cr_expect(glob_covers("/srv", "/srv/a/b/file"));
    cr_expect_not(glob_covers("/srv", "/srv"));
    cr_expect_not(glob_covers("/srv", "/srv2/file"));
    cr_expect(glob_covers("/tmp/delta-*", "/tmp/delta-1/x/file"));
    cr_expect_not(glob_covers("/srv/*", "/srv/file"));
    cr_expect(glob_covers("/srv/*", "/srv/a/.b/file"));
    cr_expect(glob_covers("/*/b", "/a/b/c/file"));
    cr_expect(glob_covers("", "/file"));
    cr_expect_not(glob_covers("", "file"));
    cr_expect_not(glob_matches("/srv", "/srv/a"));
}

/* --- links --- */

static const char *resolved(const char *glob)
{
    static char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", glob);
    glob_resolve(copy, sizeof copy);
    return copy;
}

Test(glob, links_are_resolved_as_far_as_there_is_something_and_no_glob, .init = dir_begin,
     .fini = dir_end)
{
    cr_assert_eq(mkdir(in_dir("real"), 0755), 0);
    cr_assert_eq(symlink("real", in_dir("link")), 0);
    cr_expect_str_eq(resolved(in_dir("link")), in_dir("real"));
    cr_expect_str_eq(resolved(in_dir("link/")), in_dir("real"));
    cr_expect_str_eq(resolved(in_dir("link/*")), in_dir("real/*"));
    cr_expect_str_eq(resolved(in_dir("link/new-*/x")), in_dir("real/new-*/x"));
    cr_expect_str_eq(resolved(in_dir("link/later/x")), in_dir("real/later/x"));
    cr_expect_str_eq(resolved(in_dir("link*")), in_dir("link*"));
    cr_expect_str_eq(resolved("/"), "/");
    cr_expect_str_eq(resolved("/*"), "/*");
    cr_expect_str_eq(resolved("/no-such-directory/x"), "/no-such-directory/x");
}

Test(glob, a_relative_one_is_made_absolute, .init = dir_begin, .fini = dir_end)
{
    cr_assert_eq(mkdir(in_dir("[a]*\\"), 0755), 0);
    cr_assert_eq(chdir(in_dir("[a]*\\")), 0);
    cr_expect_str_eq(resolved("*"), in_dir("\\[a]\\*\\\\/*"));
    cr_expect_str_eq(resolved("later"), in_dir("\\[a]\\*\\\\/later"));
    cr_expect_str_eq(resolved("."), in_dir("\\[a]\\*\\\\"));
    cr_expect(glob_matches(resolved("."), in_dir("[a]*\\")));
}

Test(glob, what_does_not_exist_yet_is_told, .init = dir_begin, .fini = dir_end)
{
    char glob[PATH_MAX];
    snprintf(glob, sizeof glob, "%s/*", unit_dir);
    cr_expect(glob_resolve(glob, sizeof glob));
    snprintf(glob, sizeof glob, "%s/later/*", unit_dir);
    cr_expect_not(glob_resolve(glob, sizeof glob));
}

Test(glob, a_link_that_leads_to_too_long_a_name_stays, .init = dir_begin, .fini = dir_end)
{
    char glob[96];
    char before[sizeof glob];
    cr_assert_eq(mkdir(in_dir("a-directory-of-a-long-name-that-does-not-fit-the-buffer"), 0755), 0);
    cr_assert_eq(symlink("a-directory-of-a-long-name-that-does-not-fit-the-buffer", in_dir("l")),
                 0);
    snprintf(glob, sizeof glob, "%s/l/and-something-behind-it-*", unit_dir);
    memcpy(before, glob, sizeof glob);
    glob_resolve(glob, sizeof glob);
    cr_expect_str_eq(glob, before);
}

/* --- against fnmatch --- */

/* A few pieces put together at random. */
static void put_together(char *out, const char *const *pieces, unsigned count)
{
    out[0] = '\0';
    for (long n = random() % 9; n > 0; n--)
        strcat(out, pieces[(unsigned long)random() % count]);
}

/* Without sets that hold a period: glibc 2.36 has "*?[.]" not match "a.", with FNM_PERIOD alone. */
Test(glob, it_agrees_with_fnmatch)
{
    static const char *const globs[] = {"a",    "b",     ".",     "/",   "*",   "?",
                                        "[ab]", "[!a.]", "[a-c]", "\\a", "\\*", "\\."};
    static const char *const paths[] = {"a", "b", "c", ".", "/", "*"};
    unsigned matches = 0;
    srandom(1);
    for (int i = 0; i < 1000000; i++) {
        char glob[64];
        char path[64];
        put_together(glob, globs, sizeof globs / sizeof globs[0]);
        put_together(path, paths, sizeof paths / sizeof paths[0]);
        bool expected = fnmatch(glob, path, FNM_PATHNAME | FNM_PERIOD) == 0;
        matches += expected;
        cr_assert_eq(glob_matches(glob, path), expected, "'%s', '%s'", glob, path);
    }
    cr_expect_gt(matches, 1000u, "some of them match");
}

Test(glob, many_stars_do_not_make_it_slow)
{
    char glob[1024] = "/";
    char path[4096] = "/";
    for (int i = 0; i < 200; i++)
        strcat(glob, "a*");
    strcat(glob, "b");
    memset(path + 1, 'a', sizeof path - 2);
    path[sizeof path - 1] = '\0';
    cr_expect_not(glob_matches(glob, path));
}
