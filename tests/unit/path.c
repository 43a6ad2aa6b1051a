/* Paths: joined, cut, made absolute; refused, and never cut, where they do not fit; and how they
 * end. */
#include "base/path.h"

#include "base/path_ending.h"
#include "unit.h"

#include <sys/mman.h>

TestSuite(path, .timeout = 10);

Test(path, a_name_is_joined_to_its_directory)
{
    char out[16];
    cr_expect(path_join(out, sizeof out, "/data", "x.db"));
    cr_expect_str_eq(out, "/data/x.db");
    cr_expect(path_join(out, sizeof out, "/", "x.db"));
    cr_expect_str_eq(out, "/x.db");
    cr_expect(path_join(out, sizeof out, ".", "x.db"));
    cr_expect_str_eq(out, "./x.db");
}

Test(path, what_lies_beside_a_file_has_its_name_as_a_beginning)
{
    char out[16];
    cr_expect(path_beside(out, sizeof out, "/d/x.db", "-wal"));
    cr_expect_str_eq(out, "/d/x.db-wal");
}

Test(path, what_does_not_fit_is_refused_and_never_cut)
{
    char out[11] = "before";
    cr_expect(path_join(out, sizeof out, "/data", "x.db"), "it fits with its NUL");
    cr_expect_not(path_join(out, sizeof out, "/data", "xy.db"));
    cr_expect_str_eq(out, "");
    cr_expect_not(path_beside(out, sizeof out, "/data/x.d", "-wal"));
    cr_expect_str_eq(out, "");
    cr_expect_not(path_directory(out, sizeof out, "/directories/x"));
    cr_expect_str_eq(out, "");
}

Test(path, a_path_is_cut_at_its_last_slash)
{
    static const char *const rows[][3] = {
        {"/data/store/x.db", "/data/store", "x.db"},
        {"/x.db", "/", "x.db"},
        {"x.db", ".", "x.db"},
        {"./x.db", ".", "x.db"},
        {"a/x.db", "a", "x.db"},
        {"/data/", "/data", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[32];
        cr_expect(path_directory(out, sizeof out, rows[i][0]));
        cr_expect_str_eq(out, rows[i][1], "%s", rows[i][0]);
        cr_expect_str_eq(path_name(rows[i][0]), rows[i][2], "%s", rows[i][0]);
    }
}

Test(path, a_relative_path_is_counted_from_the_working_directory)
{
    char path[PATH_MAX] = "x.db";
    cr_assert_eq(chdir("/usr"), 0);
    cr_expect(path_make_absolute(path, sizeof path));
    cr_expect_str_eq(path, "/usr/x.db");
    cr_expect(path_make_absolute(path, sizeof path));
    cr_expect_str_eq(path, "/usr/x.db", "an absolute one stays");
    cr_assert_eq(chdir("/"), 0);
    strcpy(path, "x.db");
    cr_expect(path_make_absolute(path, sizeof path));
    cr_expect_str_eq(path, "/x.db");
}

Test(path, one_that_cannot_be_made_absolute_stays_as_it_is)
{
    char path[8] = "1234567";
    cr_assert_eq(chdir("/usr"), 0);
    cr_expect_not(path_make_absolute(path, sizeof path));
    cr_expect_str_eq(path, "1234567");
}

static int ask_in_a_removed_directory(void)
{
    char dir[] = "/tmp/settle-gone-XXXXXX";
    char path[PATH_MAX] = "x.db";
    char working[PATH_MAX];
    if (mkdtemp(dir) == NULL || chdir(dir) != 0 || rmdir(dir) != 0)
        return 1;
    if (path_working(working, sizeof working) || path_make_absolute(path, sizeof path))
        return 2;
    return strcmp(path, "x.db") == 0 ? 0 : 3;
}

Test(path, a_removed_directory_has_no_path)
{
    cr_expect_eq(in_child(ask_in_a_removed_directory), 0);
}

Test(path, is_cut_down_to_the_root)
{
    char path[] = "/a/b";
    cr_expect(path_cut(path));
    cr_expect_str_eq(path, "/a");
    cr_expect(path_cut(path));
    cr_expect_str_eq(path, "/");
    cr_expect_not(path_cut(path));
    cr_expect_str_eq(path, "/");
    char bare[] = "name";
    cr_expect_not(path_cut(bare));
    cr_expect_str_eq(bare, "name");
}

/* Of each length at each place of a page whose neighbours cannot be read, among zeros and among
 * letters. */
static void expect_endings(char *page, size_t size, int around)
{
    memset(page, around, size);
    for (size_t length = 0; length <= 100; length++)
        for (size_t at = 0; at + length < size; at += at < 70 || at + length + 70 > size ? 1 : 61) {
            char last[4] = {'/', '/', '/', '/'};
            uint32_t four;
            uint16_t two;
            for (size_t i = 0; i < length; i++)
                page[at + i] = (char)('a' + i % 23);
            page[at + length] = '\0';
            for (size_t i = 0; i < length && i < sizeof last; i++)
                last[sizeof last - 1 - i] = page[at + length - 1 - i];
            memcpy(&four, last, sizeof four);
            memcpy(&two, last + 2, sizeof two);
            cr_assert_eq(path_ending(page + at), four, "%zu at %zu", length, at);
            cr_assert_eq(path_last_two(page + at), two, "%zu at %zu", length, at);
            memset(page + at, around, length + 1);
        }
}

Test(path, its_ending_is_found_wherever_it_lies_and_nothing_is_read_of_another_page)
{
    const size_t size = 4096;
    char *pages = mmap(NULL, 3 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(pages, MAP_FAILED);
    cr_assert_eq(mprotect(pages + size, size, PROT_READ | PROT_WRITE), 0);
    expect_endings(pages + size, size, '\0');
    expect_endings(pages + size, size, 'x');
}
