#include "base/text.h"

#include "base/sys.h"
#include "base/utf8.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

struct text text_in(char *buffer, size_t size)
{
    buffer[0] = '\0';
    return (struct text){.data = buffer, .length = 0, .size = size};
}

void text_bytes(struct text *t, const char *s, size_t length)
{
    size_t room = t->size - 1 - t->length;
    if (length > room)
        length = room;
    memcpy(t->data + t->length, s, length);
    t->length += length;
    t->data[t->length] = '\0';
}

void text_str(struct text *t, const char *s)
{
    text_bytes(t, s, strlen(s));
}

long text_number(const char *digits)
{
    long value = 0;
    for (; *digits >= '0' && *digits <= '9' && value < LONG_MAX / 10 - 9; digits++)
        value = value * 10 + (*digits - '0');
    return value;
}

void text_int(struct text *t, long value)
{
    char digits[24];
    size_t at = sizeof digits;
    unsigned long rest = value < 0 ? 0ul - (unsigned long)value : (unsigned long)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0)
        digits[--at] = '-';
    text_bytes(t, digits + at, sizeof digits - at);
}

void text_seconds(struct text *t, uint64_t ns)
{
    if (ns < 1000000u) {
        text_int(t, (long)(ns / 1000u));
        text_str(t, " us");
        return;
    }
    unsigned ms = (unsigned)(ns / 1000000u % 1000u);
    char fraction[4] = {(char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10),
                        0};
    text_int(t, (long)(ns / 1000000000u));
    text_str(t, ".");
    text_str(t, fraction);
    text_str(t, " s");
}

/* The length of the character at s, if one line of a terminal can show it: 0 for a control
 * character (those of U+0080 to U+009F begin sequences, too) and for what is no UTF-8. */
static size_t shown_length(const char *s)
{
    uint32_t c;
    size_t length = utf8_decode(s, &c);
    bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
    return control ? 0 : length;
}

void text_path(struct text *t, const char *path)
{
    while (*path != '\0') {
        size_t length = shown_length(path);
        if (length > t->size - 1 - t->length)
            return; /* a character is not cut */
        text_bytes(t, length == 0 ? "?" : path, length == 0 ? 1 : length);
        path += length == 0 ? 1 : length;
    }
}

void text_error(struct text *t, int error)
{
    static const struct {
        int error;
        const char *name;
    } names[] = {
        {EPERM, "EPERM"},   {ENOENT, "ENOENT"},
        {EINTR, "EINTR"},   {EIO, "EIO"},
        {ENXIO, "ENXIO"},   {EAGAIN, "EAGAIN"},
        {ENOMEM, "ENOMEM"}, {EACCES, "EACCES"},
        {EEXIST, "EEXIST"}, {ENOTDIR, "ENOTDIR"},
        {EISDIR, "EISDIR"}, {EINVAL, "EINVAL"},
        {ENFILE, "ENFILE"}, {EMFILE, "EMFILE"},
        {ENOSPC, "ENOSPC"}, {EROFS, "EROFS"},
        {ELOOP, "ELOOP"},   {ENOSYS, "ENOSYS"},
        {ENOLCK, "ENOLCK"}, {ENAMETOOLONG, "ENAMETOOLONG"},
        {ESTALE, "ESTALE"}, {ENODEV, "ENODEV"},
        {EBADF, "EBADF"},   {EOPNOTSUPP, "EOPNOTSUPP"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].error == error) {
            text_str(t, names[i].name);
            return;
        }
    text_str(t, "error ");
    text_int(t, error);
}

bool str_equal(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

bool str_ends_with(const char *s, const char *suffix)
{
    size_t length = strlen(s);
    size_t wanted = strlen(suffix);
    return length >= wanted && str_equal(s + length - wanted, suffix);
}

SYS_AT_START bool str_copy(char *out, size_t size, const char *s)
{
    size_t length = strlen(s);
    bool fits = length < size;
    memcpy(out, s, fits ? length : 0);
    out[fits ? length : 0] = '\0';
    return fits;
}
