#include "track/mention.h"

#include "base/path.h"
#include "base/sys.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>

enum { ARGUMENTS = 256, PIECES = 512, FOUND = 64 };

/* Whatever is looked at is a question to the kernel, so there is an end to it. */
struct mention {
    unsigned pieces;
    unsigned count;
    struct identity found[FOUND]; /* files and directories that are named */
    char path[PATH_MAX];          /* not on the program's stack */
};

/* The root says nothing. */
static bool is_root(struct identity id)
{
    struct stat st;
    return sys_stat("/", &st) == 0 && identity_same(id, identity_of(&st));
}

static void look_at(struct mention *m)
{
    struct stat st;
    if (m->count == FOUND || sys_stat(m->path, &st) < 0 ||
        (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)))
        return;
    if (!S_ISDIR(st.st_mode) || !is_root(identity_of(&st)))
        m->found[m->count++] = identity_of(&st);
}

/* Leaves what comes before the last slash in front of a wildcard. */
static void cut_wildcard(char *path)
{
    char *at = path + strcspn(path, "*?[");
    if (*at == '\0')
        return;
    while (at > path && at[-1] != '/')
        at--;
    if (at == path)
        *at++ = '.';
    *at = '\0';
}

static void take_piece(struct mention *m, const char *piece, size_t length)
{
    if (length == 0 || length >= sizeof m->path || m->pieces == PIECES)
        return;
    m->pieces++;
    memcpy(m->path, piece, length);
    m->path[length] = '\0';
    cut_wildcard(m->path);
    look_at(m);
}

static void take_pieces(struct mention *m, const char *text)
{
    static const char between[] = " \t\r\n'\"`;|&<>(){}=,:";
    for (;;) {
        text += strspn(text, between);
        size_t length = strcspn(text, between);
        if (length == 0)
            return;
        if (text[0] != '-')
            take_piece(m, text, length);
        text += length;
    }
}

static bool has_argument(char *const *arguments, int i)
{
    return sys_is_address(arguments) && sys_is_address(arguments[i]);
}

struct mention *mention_of(char *const *arguments, const char *command)
{
    if (!sys_is_address(arguments) && !sys_is_address(command))
        return NULL;
    struct mention *m = sys_mmap(sizeof *m);
    if (m == NULL)
        return NULL;
    for (int i = 1; has_argument(arguments, i - 1) && has_argument(arguments, i); i++) {
        if (i == ARGUMENTS)
            break;
        const size_t before = m->count;
        if (arguments[i][0] != '-')
            take_piece(m, arguments[i], strlen(arguments[i]));
        if (m->count == before)
            take_pieces(m, arguments[i]);
    }
    if (sys_is_address(command))
        take_pieces(m, command);
    if (m->count > 0)
        return m;
    mention_free(m);
    return NULL;
}

static bool has(const struct mention *m, struct identity id)
{
    for (unsigned i = 0; i < m->count; i++)
        if (identity_same(m->found[i], id))
            return true;
    return false;
}

/* From the primary upwards. */
static bool has_path(const struct mention *m, char *path)
{
    struct stat st;
    while (path_cut(path))
        if (sys_stat(path, &st) == 0 && has(m, identity_of(&st)))
            return true;
    return false;
}

bool mention_has(const struct mention *m, const struct store *store)
{
    if (m == NULL)
        return false;
    const char *path = store_path(store);
    if (has(m, store_primary(store)))
        return true;
    char *room = sys_mmap(PATH_MAX);
    bool found = room != NULL && str_copy(room, PATH_MAX, path) && has_path(m, room);
    if (room != NULL)
        sys_munmap(room, PATH_MAX);
    return found;
}

void mention_free(struct mention *m)
{
    if (m != NULL)
        sys_munmap(m, sizeof *m);
}
