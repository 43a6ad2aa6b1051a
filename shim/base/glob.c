#include "base/glob.h"

#include "base/descriptor.h"
#include "base/path.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>

/* The end of a set that begins behind a [; NULL if no ] closes it before the next slash, and then
 * the [ is itself. A ] in the first place is one of the set. */
static const char *end_of_set(const char *at)
{
    at += *at == '!' || *at == '^';
    at += *at == ']';
    for (; *at != ']'; at++) {
        if (*at == '\\')
            at++;
        if (*at == '\0' || *at == '/')
            return NULL;
    }
    return at;
}

static unsigned char set_member(const char **at)
{
    *at += **at == '\\';
    return (unsigned char)*(*at)++;
}

/* at: behind the [; end: the ] that closes the set. */
static bool in_set(const char *at, const char *end, unsigned char c)
{
    bool negated = *at == '!' || *at == '^';
    bool found = false;
    at += negated;
    while (at < end) {
        unsigned char low = set_member(&at);
        unsigned char high = low;
        if (*at == '-' && at + 1 < end) {
            at++;
            high = set_member(&at);
        }
        found |= low <= c && c <= high;
    }
    return found != negated;
}

/* Whether the glob's next element, other than a *, matches one byte; moves behind it. hidden: the
 * byte is the period that a name begins with. */
static bool take_one(const char **glob, char c, bool hidden)
{
    const char *at = *glob;
    const char *end = *at == '[' ? end_of_set(at + 1) : NULL;
    if (end != NULL) {
        *glob = end + 1;
        return c != '/' && !hidden && in_set(at + 1, end, (unsigned char)c);
    }
    if (*at == '?') {
        *glob = at + 1;
        return c != '/' && !hidden;
    }
    at += *at == '\\' && at[1] != '\0';
    *glob = at + 1;
    return *at == c;
}

/* Whether the glob is at its end where the path is at `end`.
 *
 * A * takes as little as it can, and one byte more whenever the rest does not match. Only the last
 * one of a name ever needs to: a slash in the glob is a slash in the path. */
static bool match(const char *glob, const char *path, char end)
{
    const char *star = NULL;  /* the glob behind the last * of this name */
    const char *taken = NULL; /* the path behind what that * has taken */
    const char *name = path;

    for (;;) {
        if (*glob == '\0' && *path == end)
            return true;
        bool hidden = *path == '.' && path == name;
        if (*glob == '*' && !hidden) {
            star = ++glob;
            taken = path;
            continue;
        }
        if (*glob != '\0' && *glob != '*' && *path != '\0' && take_one(&glob, *path, hidden)) {
            if (*path++ == '/')
                name = path;
            continue;
        }
        if (star == NULL || *taken == '\0' || *taken == '/')
            return false;
        path = ++taken;
        glob = star;
    }
}

bool glob_matches(const char *glob, const char *path)
{
    return match(glob, path, '\0');
}

bool glob_covers(const char *glob, const char *path)
{
    return match(glob, path, '/');
}

/* The length of what is no glob, to the end of a name. */
static size_t fixed_length(const char *glob)
{
    size_t length = strcspn(glob, "*?[\\");
    if (glob[length] != '\0')
        while (length > 0 && glob[length - 1] != '/')
            length--;
    return length;
}

/* A name as a glob that matches it alone. */
static void text_as_glob(struct text *t, const char *name)
{
    for (; *name != '\0'; name++) {
        if (strchr("*?[\\", *name) != NULL)
            text_str(t, "\\");
        text_bytes(t, name, 1);
    }
}

static void text_below(struct text *t, const char *directory, const char *rest)
{
    rest += strspn(rest, "/");
    text_as_glob(t, directory);
    text_str(t, rest[0] == '\0' || str_equal(directory, "/") ? "" : "/");
    text_str(t, rest);
}

/* In memory of its own (scratch.h), since the stack is the program's. */
struct parts {
    char head[PATH_MAX]; /* of a glob */
    char resolved[PATH_MAX];
    char whole[2 * PATH_MAX];
};
_Static_assert(sizeof(struct parts) <= SCRATCH_SIZE, "it has room");

static void make_absolute(char *glob, size_t size)
{
    struct parts *in = glob[0] == '/' ? NULL : scratch_take();
    if (in == NULL)
        return;
    struct text t = text_in(in->whole, sizeof in->whole);
    if (path_working(in->resolved, sizeof in->resolved)) {
        text_below(&t, in->resolved, glob);
        if (t.length < size)
            str_copy(glob, size, in->whole);
    }
    scratch_give(in);
}

/* As realpath(3) has it, which the loader would look up at each start of a process. Where the
 * kernel has no name to tell (no /proc), the files of the directory are not known by another one
 * either.
 */
static bool resolve(const char *path, char *out, size_t size)
{
    int fd = sys_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    descriptor_path(fd, out, size);
    sys_close(fd);
    return out[0] == '/' || (str_copy(out, size, path) && path_make_absolute(out, size));
}

/* How much of its first `fixed` bytes leads somewhere, which is resolved; 0 if nothing does. */
static size_t resolve_beginning(struct parts *in, char *glob, size_t size, size_t fixed)
{
    for (size_t length = fixed; length > 0; length--) {
        if (length < fixed && glob[length] != '/')
            continue;
        struct text h = text_in(in->head, sizeof in->head);
        text_bytes(&h, glob, length);
        if (!resolve(in->head, in->resolved, sizeof in->resolved))
            continue;
        struct text t = text_in(in->whole, sizeof in->whole);
        text_below(&t, in->resolved, glob + length);
        if (t.length < size)
            str_copy(glob, size, in->whole);
        return length;
    }
    return 0;
}

bool glob_resolve(char *glob, size_t size)
{
    const size_t fixed = fixed_length(glob);
    struct parts *in = scratch_take();
    const size_t length = in == NULL ? 0 : resolve_beginning(in, glob, size, fixed);
    scratch_give(in);
    if (length == 0)
        make_absolute(glob, size);
    return length == fixed;
}
