/* The lines of /proc/locks and of a process's maps, in whatever pieces they are read, and with
 * whatever in them. */
#include "base/sys.h"

#include "fuzz.h"

static struct input file;
static unsigned piece; /* what one read gives at most */
static bool is_open;

static int open_file(int dir, const char *path, int flags, unsigned mode)
{
    (void)dir, (void)flags, (void)mode;
    CHECK(str_equal(path, "/proc/locks") && !is_open);
    is_open = true;
    return 7;
}

static long read_file(int fd, void *buffer, size_t size)
{
    size_t left = (size_t)(file.end - file.at);
    size_t given = left < size ? left : size;
    if (given > piece)
        given = piece;
    CHECK(fd == 7 && is_open && size > 0);
    if (given > 0)
        memcpy(buffer, file.at, given);
    file.at += given;
    return (long)given;
}

static int close_file(int fd)
{
    CHECK(fd == 7 && is_open);
    is_open = false;
    return 0;
}

#define sys_openat open_file
#define sys_read   read_file
#define sys_close  close_file
#include "base/scan.c"
#undef sys_openat
#undef sys_read
#undef sys_close

#include "holders/proc.h"

/* The words of a line, as far as there are eight. */
struct words {
    char *copy;
    char *word[8];
    int count;
};

static struct words words_of(const char *line)
{
    struct words w = {.copy = strdup(line)};
    char *rest = w.copy;
    for (char *word; w.count < 8 && (word = strsep(&rest, " \t")) != NULL;)
        if (*word != '\0')
            w.word[w.count++] = word;
    return w;
}

/* The kernel's largest pid is 4194304. */
static int pid_of(const char *word)
{
    long long number = strspn(word, "0123456789") > 0 ? strtoll(word, NULL, 10) : 0;
    return number <= 4194304 ? (int)number : 0;
}

static void check_lock(const char *line)
{
    static const char *const kinds[] = {"POSIX", "OFDLCK", "FLOCK", "LEASE", "DELEG"};
    struct proc_lock lock;
    struct words w = words_of(line);
    char *copy = strdup(line);
    bool known = false;
    for (size_t i = 0; w.count == 8 && i < sizeof kinds / sizeof kinds[0]; i++)
        known |= str_equal(w.word[1], kinds[i]);
    CHECK(proc_read_lock(&lock, copy) == known);
    if (known) {
        CHECK(lock.holder.pid == pid_of(w.word[4]));
        CHECK(lock.holder.exclusive ==
              (!str_equal(w.word[3], "READ") || str_equal(w.word[2], "BREAKING")));
        CHECK(str_equal(w.word[7], "EOF") == false || lock.holder.end == HOLDER_TO_END);
        CHECK(lock.holder.hold > HOLD_NONE && lock.holder.hold <= HOLD_LEASE);
    }
    free(copy);
    free(w.copy);
}

static void check_mapping(const char *line)
{
    struct proc_mapping mapping;
    char *copy = strdup(line);
    if (proc_read_mapping(&mapping, copy)) {
        CHECK(mapping.range != NULL && mapping.permissions != NULL);
        proc_mapping_writes(&mapping, "/nowhere");
    }
    free(copy);
}

/* Each line comes, up to the buffer's size, and the last one though it has no end. */
static void check_lines(struct input text)
{
    struct scan lines;
    char *line;
    CHECK(scan_open(&lines, "/proc/locks") == 0);
    while ((line = scan_line(&lines)) != NULL) {
        CHECK(has_more(&text));
        size_t left = (size_t)(text.end - text.at);
        const uint8_t *newline = memchr(text.at, '\n', left);
        size_t length = newline == NULL ? left : (size_t)(newline - text.at);
        size_t most = sizeof lines.buffer - 1;
        CHECK(strlen(line) == (length < most ? length : most));
        CHECK(memcmp(line, text.at, strlen(line)) == 0);
        check_lock(line);
        check_mapping(line);
        text.at += length + (newline != NULL);
    }
    CHECK(!has_more(&text));
    scan_close(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    piece = 1 + take_byte(&in);
    char *text = take_text(&in, '\0');
    file = (struct input){(uint8_t *)text, (uint8_t *)text + strlen(text)};
    check_lines(file);
    CHECK(!is_open && !has_more(&file));
    free(text);
    return 0;
}
