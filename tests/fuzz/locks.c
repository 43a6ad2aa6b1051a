/* The lines of /proc/locks, in whatever pieces they are read, and with whatever in them. */
#include "sys.h"

#include "fuzz.h"

static struct input proc_locks;
static unsigned piece; /* what one read gives at most */
static bool is_open;

static int open_proc_locks(int dir, const char *path, int flags, unsigned mode)
{
    (void)dir, (void)flags, (void)mode;
    CHECK(str_equal(path, "/proc/locks") && !is_open);
    is_open = true;
    return 7;
}

static long read_proc_locks(int fd, void *buffer, size_t size)
{
    size_t left = (size_t)(proc_locks.end - proc_locks.at);
    size_t given = left < size ? left : size;
    if (given > piece)
        given = piece;
    CHECK(fd == 7 && is_open && size > 0);
    if (given > 0)
        memcpy(buffer, proc_locks.at, given);
    proc_locks.at += given;
    return (long)given;
}

static int close_proc_locks(int fd)
{
    CHECK(fd == 7 && is_open);
    is_open = false;
    return 0;
}

#define sys_openat open_proc_locks
#define sys_read   read_proc_locks
#define sys_close  close_proc_locks
#include "../../shim/probe.c"

/* The pid of a line, read slowly: the fifth word, if the second is the kind and the sixth the file.
 * 0 if the line is about something else, or names no pid. */
static int pid_in(const char *line, const char *kind, const char *file)
{
    char *words[6];
    char *copy = strdup(line);
    char *rest = copy;
    int count = 0;
    int pid = 0;
    for (char *word; count < 6 && (word = strsep(&rest, " ")) != NULL;)
        if (*word != '\0')
            words[count++] = word;
    if (count == 6 && str_equal(words[1], kind) && str_equal(words[5], file)) {
        long long number = strspn(words[4], "0123456789") > 0 ? strtoll(words[4], NULL, 10) : 0;
        pid = number <= 4194304 ? (int)number : 0; /* the kernel's largest */
    }
    free(copy);
    return pid;
}

/* Whole lines only, and of no more than the kernel could write. */
static int pid_expected(struct input lines, const char *kind, const char *file)
{
    int pid = 0;
    while (has_more(&lines) && pid == 0) {
        const uint8_t *newline = memchr(lines.at, '\n', (size_t)(lines.end - lines.at));
        if (newline == NULL)
            break;
        char *line = strndup((const char *)lines.at, (size_t)(newline - lines.at));
        pid = pid_in(line, kind, file);
        free(line);
        lines.at = newline + 1;
    }
    return pid;
}

/* The kernel writes no line that is longer than a few hundred bytes. */
static bool has_long_line(struct input lines)
{
    size_t length = 0;
    for (; has_more(&lines); lines.at++) {
        length = *lines.at == '\n' ? 0 : length + 1;
        if (length > 1000)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const kinds[] = {"FLOCK", "LEASE"};
    struct input in = {data, data + size};
    piece = 1 + take_byte(&in);
    const char *kind = kinds[take_byte(&in) % 2];
    char *text = take_text(&in, '\0');
    struct input lines = {(uint8_t *)text, (uint8_t *)text + strlen(text)};
    struct probe p = probe_of("/x", (struct identity){makedev(0xfd, 1), 5678});
    proc_locks = lines;
    search_proc_locks(&p, kind);
    CHECK(!is_open && !has_more(&proc_locks));
    CHECK(has_long_line(lines) || p.holder.pid == pid_expected(lines, kind, "fd:01:5678"));
    free(text);
    return 0;
}
