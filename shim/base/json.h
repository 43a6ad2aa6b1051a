/* Building one JSON object in a text buffer.
 *
 * Any bytes make valid JSON: well-formed UTF-8 stays as it is; every other byte becomes the escape
 * \udc80 to \udcff, as in Python's surrogateescape (PEP 383), so that a file name can be had back.
 */
#ifndef SETTLE_JSON_H
#define SETTLE_JSON_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct json {
    struct text *text;
    bool first; /* nothing in the current object or list yet */
};

/* Begins the outermost object. Text that does not fit is cut (text.h): give room enough. */
struct json json_begin(struct text *t);

/* A member; key NULL within a list. */
void json_str(struct json *j, const char *key, const char *value);
void json_int(struct json *j, const char *key, long value);
void json_bool(struct json *j, const char *key, bool value);
/* Seconds with nine decimals. */
void json_seconds(struct json *j, const char *key, uint64_t ns);

/* Nested ones, each closed by json_end with its bracket. */
void json_object(struct json *j, const char *key);
void json_list(struct json *j, const char *key);
void json_end(struct json *j, char bracket);

#endif
