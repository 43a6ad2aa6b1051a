/* The lines of a file, whatever their lengths, and their fields. */
#include "base/scan.h"

#include "unit.h"

#include <errno.h>

TestSuite(scan, .init = dir_begin, .fini = dir_end, .timeout = 10);

static struct scan file;

static void open_lines(const char *text)
{
    write_file(in_dir("file"), text);
    cr_assert_eq(scan_open(&file, in_dir("file")), 0);
}

static void expect_line(const char *expected)
{
    const char *line = scan_line(&file);
    cr_assert_not_null(line, "no '%s'", expected);
    cr_expect_str_eq(line, expected);
}

static void expect_end(void)
{
    cr_expect_null(scan_line(&file));
    scan_close(&file);
}

Test(scan, lines_come_without_their_ends)
{
    open_lines("one\n\nthree\n");
    expect_line("one");
    expect_line("");
    expect_line("three");
    expect_end();
}

Test(scan, a_last_line_without_an_end_comes_too)
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

Test(scan, lines_across_the_buffers_end_are_whole)
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

Test(scan, of_a_line_that_is_too_long_the_beginning_comes)
{
    char text[10100];
    repeat(text, 'x', 10000);
    strcat(text, "\nnext\n");
    open_lines(text);
    const char *line = scan_line(&file);
    cr_assert_not_null(line);
    cr_expect_eq(strlen(line), sizeof file.buffer - 1);
    cr_expect_eq(strspn(line, "x"), strlen(line));
    expect_line("next");
    expect_end();
}

Test(scan, a_file_that_is_not_there_tells_why)
{
    cr_expect_eq(scan_open(&file, in_dir("missing")), -ENOENT);
}

Test(scan, fields_are_separated_by_blanks_and_tabs)
{
    char line[] = "  one two\t\tthree ";
    char *rest = line;
    cr_expect_str_eq(scan_field(&rest), "one");
    cr_expect_str_eq(scan_field(&rest), "two");
    cr_expect_str_eq(scan_field(&rest), "three");
    cr_expect_null(scan_field(&rest));
    cr_expect_null(scan_field(&rest));
}
