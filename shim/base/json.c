#include "base/json.h"

#include "base/utf8.h"

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
    for (const char *s = value; *s != '\0';) {
        uint32_t c;
        unsigned length = utf8_decode(s, &c);
        if (*s == '"' || *s == '\\') {
            text_str(t, "\\");
            text_bytes(t, s, 1);
        } else if (length == 0) {
            escape(t, "\\udc", (unsigned char)*s);
        } else if (c < 0x20 || c == 0x7f) {
            escape(t, "\\u00", c);
        } else {
            text_bytes(t, s, length);
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
