/* Lines of text in buffers of any size. */
#include "base/text.h"

#include "unit.h"

#include <errno.h>

TestSuite(text, .timeout = 10);

static char buffer[64];

static struct text empty(void)
{
    return text_in(buffer, sizeof buffer);
}

Test(text, what_does_not_fit_is_dropped_and_the_end_stays_terminated)
{
    char small[6];
    memset(small, 'x', sizeof small);
    struct text t = text_in(small, 5);
    text_str(&t, "abc");
    text_str(&t, "defg");
    text_str(&t, "h");
    cr_expect_str_eq(small, "abcd");
    cr_expect_eq(t.length, 4u);
    cr_expect_eq(small[5], 'x', "written behind the buffer");
}

Test(text, a_buffer_of_one_byte_takes_nothing)
{
    char one = 'x';
    struct text t = text_in(&one, 1);
    text_str(&t, "abc");
    text_int(&t, 7);
    cr_expect_eq(one, '\0');
}

Test(text, numbers_are_decimal_down_to_the_smallest)
{
    struct text t = empty();
    text_int(&t, 0);
    text_str(&t, " ");
    text_int(&t, -70);
    text_str(&t, " ");
    text_int(&t, LONG_MIN);
    char expected[64];
    snprintf(expected, sizeof expected, "0 -70 %ld", LONG_MIN);
    cr_expect_str_eq(buffer, expected);
}

Test(text, seconds_have_three_decimals_and_less_than_a_millisecond_is_in_microseconds)
{
    static const struct {
        uint64_t ns;
        const char *shown;
    } cases[] = {
        {0, "0 us"},
        {999, "0 us"},
        {15000, "15 us"},
        {999999, "999 us"},
        {1000000, "0.001 s"},
        {312999999, "0.312 s"},
        {2000000000, "2.000 s"},
        {61005000000, "61.005 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text t = empty();
        text_seconds(&t, cases[i].ns);
        cr_expect_str_eq(buffer, cases[i].shown);
    }
}

Test(text, a_path_stays_on_one_line_and_keeps_its_letters)
{
    struct text t = empty();
    text_path(&t, "/a\nb\tc\033\177/\303\274");
    cr_expect_str_eq(buffer, "/a?b?c\?\?/\303\274");
}

Test(text, what_is_no_character_of_a_path_is_shown_as_question_marks)
{
    static const struct {
        const char *path, *shown;
    } cases[] = {
        {"\302\233m", "??m"},                     /* U+009B: begins a terminal's sequence */
        {"\302\240", "\302\240"},                 /* U+00A0: the first that can be shown again */
        {"\374.db", "?.db"},                      /* Latin-1 */
        {"a\303", "a?"},                          /* cut off */
        {"\300\257", "??"},                       /* a slash in two bytes */
        {"\340\237\277", "???"},                  /* in three where two would do */
        {"\355\240\200", "???"},                  /* a surrogate */
        {"\360\237\230\200", "\360\237\230\200"}, /* U+1F600 */
        {"\364\220\200\200", "????"},             /* above U+10FFFF */
        {"\370\220\200\200", "????"},             /* no beginning of a character */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text t = empty();
        text_path(&t, cases[i].path);
        cr_expect_str_eq(buffer, cases[i].shown);
    }
}

Test(text, a_path_that_does_not_fit_ends_with_a_whole_character)
{
    char small[5];
    struct text t = text_in(small, sizeof small);
    text_path(&t, "abc\303\274d");
    cr_expect_str_eq(small, "abc");
}

Test(text, an_error_has_its_name_and_an_unknown_one_its_number)
{
    struct text t = empty();
    text_error(&t, EACCES);
    text_str(&t, " ");
    text_error(&t, 12345);
    cr_expect_str_eq(buffer, "EACCES error 12345");
}

Test(text, an_ending_may_be_the_whole_but_not_longer)
{
    cr_expect(str_ends_with("a.bin", ".bin"));
    cr_expect(str_ends_with(".bin", ".bin"));
    cr_expect_not(str_ends_with("bin", ".bin"));
    cr_expect_not(str_ends_with("a.bin ", ".bin"));
}

Test(text, a_copy_that_does_not_fit_is_empty)
{
    char out[4];
    cr_expect(str_copy(out, sizeof out, "abc"));
    cr_expect_str_eq(out, "abc");
    cr_expect_not(str_copy(out, sizeof out, "abcd"));
    cr_expect_str_empty(out);
}

Test(text, a_string_that_begins_with_no_number_is_0_and_a_long_one_stays_a_number)
{
    cr_expect_eq(text_number("4711 rest"), 4711);
    cr_expect_eq(text_number("x1"), 0);
    cr_expect_eq(text_number(""), 0);
    cr_expect_gt(text_number("99999999999999999999999999"), 0);
}
