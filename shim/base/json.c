#include "base/json.h"

/* The length of the well-formed UTF-8 sequence that s begins with (RFC 3629); 0 if there is none.
 */
static unsigned utf8_length(const unsigned char *s)
{
    unsigned length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (s[0] > 0xf4)
        return 0;
    for (unsigned i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] >= 0xa0;
    bool beyond = s[0] == 0xf4 && s[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : length;
}

static void escape(struct text *t, const char *prefix, unsigned byte)
{
    static const char digits[] = "0123456789abcdef";
    const char hex[] = {digits[byte >> 4], digits[byte & 15]};
    text_str(t, prefix);
    text_bytes(t, hex, sizeof hex);
}

static void quoted(struct text *t, const char *value)
{
    text_str(t, "\"");
    for (const unsigned char *s = (const unsigned char *)value; *s != '\0';) {
        unsigned length = utf8_length(s);
        if (*s == '"' || *s == '\\') {
            text_str(t, "\\");
            text_bytes(t, (const char *)s, 1);
        } else if (*s < 0x20 || *s == 0x7f) {
            escape(t, "\\u00", *s);
        } else if (length == 0) {
            escape(t, "\\udc", *s);
        } else {
            text_bytes(t, (const char *)s, length);
        }
        s += length == 0 ? 1 : length;
    }
    text_str(t, "\"");
}

static void begin_member(struct json *j, const char *key)
{
    if (!j->first)
        text_str(j->text, ",");
    j->first = false;
    if (key == NULL)
        return;
    quoted(j->text, key);
    text_str(j->text, ":");
}

struct json json_begin(struct text *t)
{
    text_str(t, "{");
    return (struct json){.text = t, .first = true};
}

void json_str(struct json *j, const char *key, const char *value)
{
    begin_member(j, key);
    quoted(j->text, value);
}

void json_int(struct json *j, const char *key, long value)
{
    begin_member(j, key);
    text_int(j->text, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
    begin_member(j, key);
    text_str(j->text, value ? "true" : "false");
}

void json_seconds(struct json *j, const char *key, uint64_t ns)
{
    char fraction[11] = ".000000000";
    uint64_t rest = ns % 1000000000u;
    for (int i = 9; i > 0; i--, rest /= 10)
        fraction[i] = (char)('0' + rest % 10);
    begin_member(j, key);
    text_int(j->text, (long)(ns / 1000000000u));
    text_str(j->text, fraction);
}

static void open_nested(struct json *j, const char *key, const char *bracket)
{
    begin_member(j, key);
    text_str(j->text, bracket);
    j->first = true;
}

void json_object(struct json *j, const char *key)
{
    open_nested(j, key, "{");
}

void json_list(struct json *j, const char *key)
{
    open_nested(j, key, "[");
}

void json_end(struct json *j, char bracket)
{
    text_bytes(j->text, &bracket, 1);
    j->first = false;
}
