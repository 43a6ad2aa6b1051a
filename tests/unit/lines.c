/* Directories and files of lines, whatever their lengths. */
#include "base/lines.h"

#include "unit.h"

#include <errno.h>

TestSuite(lines, .init = dir_begin, .fini = dir_end, .timeout = 10);

/* --- directories --- */

Test(lines, every_entry_of_a_directory_comes_once_however_many_there_are)
{
    static unsigned seen[1000];
    char name[64];
    struct listing listing;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "entry-with-a-name-that-fills-the-buffer-%u", i);
        a_file(name);
    }
    cr_assert_eq(listing_open(&listing, unit_dir), 0);
    const struct entry *entry;
    while ((entry = listing_next(&listing)) != NULL)
        if (entry->name[0] != '.')
            seen[atoi(strrchr(entry->name, '-') + 1)]++;
    listing_close(&listing);
    for (unsigned i = 0; i < 1000; i++)
        cr_expect_eq(seen[i], 1u, "%u", i);
}

Test(lines, a_directory_that_is_not_there_tells_why)
{
    struct listing listing;
    cr_expect_eq(listing_open(&listing, in_dir("missing")), -ENOENT);
    cr_expect_eq(listing_open(&listing, a_file("file")), -ENOTDIR);
}

/* --- lines --- */

static struct lines lines;

static void open_lines(const char *text)
{
    write_file(in_dir("lines"), text);
    cr_assert_eq(lines_open(&lines, in_dir("lines")), 0);
}

static void expect_line(const char *expected)
{
    const char *line = lines_next(&lines);
    cr_assert_not_null(line, "no '%s'", expected);
    cr_expect_str_eq(line, expected);
}

static void expect_end(void)
{
    cr_expect_null(lines_next(&lines));
    lines_close(&lines);
}

Test(lines, lines_come_without_their_ends)
{
    open_lines("one\n\nthree\n");
    expect_line("one");
    expect_line("");
    expect_line("three");
    expect_end();
}

Test(lines, a_last_line_without_an_end_comes_too)
{
    open_lines("one\ntwo");
    expect_line("one");
    expect_line("two");
    expect_end();
    open_lines("");
    expect_end();
}

static void repeat(char *out, char c, size_t n)
{
    memset(out, c, n);
    out[n] = '\0';
}

Test(lines, lines_across_the_buffers_end_are_whole)
{
    char text[12001] = "";
    char line[1201];
    for (char c = 'a'; c < 'k'; c++) {
        repeat(line, c, 1198);
        strcat(strcat(text, line), "\n");
    }
    open_lines(text);
    for (char c = 'a'; c < 'k'; c++) {
        repeat(line, c, 1198);
        expect_line(line);
    }
    expect_end();
}

Test(lines, of_a_line_that_is_too_long_the_beginning_comes)
{
    char text[10100];
    repeat(text, 'x', 10000);
    strcat(text, "\nnext\n");
    open_lines(text);
    const char *line = lines_next(&lines);
    cr_assert_not_null(line);
    cr_expect_eq(strlen(line), sizeof lines.buffer - 1);
    cr_expect_eq(strspn(line, "x"), strlen(line));
    expect_line("next");
    expect_end();
}

Test(lines, a_file_that_is_not_there_tells_why)
{
    cr_expect_eq(lines_open(&lines, in_dir("missing")), -ENOENT);
}

Test(lines, fields_are_separated_by_blanks_and_tabs)
{
    char line[] = "  one two\t\tthree ";
    char *rest = line;
    cr_expect_str_eq(next_field(&rest), "one");
    cr_expect_str_eq(next_field(&rest), "two");
    cr_expect_str_eq(next_field(&rest), "three");
    cr_expect_null(next_field(&rest));
    cr_expect_null(next_field(&rest));
}
