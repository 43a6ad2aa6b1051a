/* One JSON object of any bytes. */
#include "base/json.h"

#include "unit.h"

TestSuite(json, .timeout = 10);

static char buffer[512];

static struct text text;

static struct json begin(void)
{
    text = text_in(buffer, sizeof buffer);
    return json_begin(&text);
}

Test(json, members_are_separated_and_nested_ones_begin_anew)
{
    struct json j = begin();
    json_str(&j, "a", "x");
    json_list(&j, "b");
    json_object(&j, NULL);
    json_int(&j, "c", -3);
    json_end(&j, '}');
    json_object(&j, NULL);
    json_end(&j, '}');
    json_end(&j, ']');
    json_bool(&j, "d", false);
    json_end(&j, '}');
    cr_expect_str_eq(buffer, "{\"a\":\"x\",\"b\":[{\"c\":-3},{}],\"d\":false}");
}

Test(json, seconds_have_nine_decimals)
{
    struct json j = begin();
    json_seconds(&j, "a", 0);
    json_seconds(&j, "b", 1000000001u);
    json_seconds(&j, "c", 1795455148739815810u);
    cr_expect_str_eq(buffer, "{\"a\":0.000000000,\"b\":1.000000001,\"c\":1795455148.739815810");
}

/* The strings of RFC 8259, section 7, and of RFC 3629, section 4. */
Test(json, any_bytes_become_a_valid_string)
{
    static const struct {
        const char *value, *expected;
    } rows[] = {
        {"", ""},
        {"a\"b\\c/", "a\\\"b\\\\c/"},
        {"\n\t\x01\x7f", "\\u000a\\u0009\\u0001\\u007f"},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xff", "\\udcff"},
        {"\xc3", "\\udcc3"},                       /* cut */
        {"\xe2\x82x", "\\udce2\\udc82x"},          /* cut by another character */
        {"\xc0\xaf", "\\udcc0\\udcaf"},            /* overlong */
        {"\xe0\x80\x80", "\\udce0\\udc80\\udc80"}, /* overlong */
        {"\xf0\x80\x80\x80", "\\udcf0\\udc80\\udc80\\udc80"},
        {"\xed\xa0\x80", "\\udced\\udca0\\udc80"},            /* a surrogate */
        {"\xf4\x90\x80\x80", "\\udcf4\\udc90\\udc80\\udc80"}, /* beyond Unicode */
        {"\xf5\x80\x80\x80", "\\udcf5\\udc80\\udc80\\udc80"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char expected[128];
        struct json j = begin();
        json_str(&j, NULL, rows[i].value);
        snprintf(expected, sizeof expected, "{\"%s\"", rows[i].expected);
        cr_expect_str_eq(buffer, expected, "row %zu: %s", i, buffer);
    }
}
