/* Lines of the log: whatever a message and a path hold, one write of one line, and where it goes.
 */
#include "helper/log.h"

#include "base/sys.h"
#include "fuzz.h"
#include "helper/append.h"

#include <errno.h>
#include <unistd.h>

enum { LOG_FILE = 7, MOST_WRITES = 2, MESSAGES = 4 };

/* What the log wrote in answer to one message. */
static unsigned writes;
static struct written {
    int fd;
    char line[LOG_LINE_SIZE + 1];
} said[MOST_WRITES];

static int file_error;          /* of the log file; 0: it can be written */
static bool stderr_is_the_same; /* as it was at start */

static long write_line(int fd, const void *line, size_t size)
{
    CHECK(writes < MOST_WRITES && size > 0 && size <= LOG_LINE_SIZE);
    said[writes].fd = fd;
    memcpy(said[writes].line, line, size);
    said[writes].line[size] = '\0';
    CHECK(strlen(said[writes].line) == size);
    writes++;
    return (long)size;
}

static int stat_stderr(int fd, struct stat *st)
{
    CHECK(fd == 2);
    memset(st, 0, sizeof *st);
    st->st_ino = stderr_is_the_same ? 1 : 2;
    return 0;
}

static int poll_stderr(int fd, short events, uint64_t ns)
{
    (void)events;
    CHECK(fd == 2 && ns == 0);
    return 1;
}

#define sys_write write_line
#define sys_fstat stat_stderr
#define sys_poll  poll_stderr
#include "helper/log.c"

/* A log file without a file. */

bool append_would_harm(int fd, const char *path)
{
    (void)fd, (void)path;
    return false;
}

void lines_start(void)
{
}

void lines_put(const char *path, const char *line, size_t length, lines_failed *failed)
{
    CHECK(path == log_path);
    CHECK(length <= LOG_LINE_SIZE);
    if (file_error == 0)
        write_line(LOG_FILE, line, length);
    else if (file_error != ESRCH) /* as lines.c */
        failed(line, length, file_error);
}

void lines_add(struct lines *lines, const char *path, const char *line, size_t length,
               lines_failed *failed)
{
    (void)lines;
    lines_put(path, line, length, failed);
}

int lines_pid(const struct lines *lines)
{
    (void)lines;
    return 0;
}

static size_t count_of(const char *s, char c)
{
    size_t count = 0;
    for (; *s != '\0'; s++)
        count += *s == c;
    return count;
}

/* The line that the log wrote is `text` behind its prefix, or as much of it as a line holds. */
static void is_line(const char *line, enum log_level level, const char *text)
{
    static const char *const levels[] = {"", "warning: ", "", "debug: "};
    char prefix[64];
    size_t length = strlen(line);
    int prefixed = snprintf(prefix, sizeof prefix, "settle[%d]: %s", (int)getpid(), levels[level]);
    CHECK(begins_with(line, prefix) && line[length - 1] == '\n');
    size_t shown = length - 1 - (size_t)prefixed;
    CHECK(strncmp(line + prefixed, text, shown) == 0);
    CHECK(shown == strlen(text) || length == LOG_LINE_SIZE - 1);
}

static void is_complaint(const char *line)
{
    CHECK(strstr(line, "warning: SETTLE_LOG_FILE='") != NULL && count_of(line, '\n') == 1);
    CHECK(strstr(line, "warnings go to standard error") != NULL ||
          strlen(line) == LOG_LINE_SIZE - 1);
}

/* What a message at a level must have led to. */
static void went_where_it_belongs(enum log_level level, const char *text, bool complained)
{
    bool to_file = log_path[0] != '\0';
    bool falls_back = to_file && file_error != 0;
    bool abandoned = to_file && file_error == ESRCH; /* a fork child has nothing to say */
    unsigned at = 0;
    if (!log_wants(level) || abandoned) {
        CHECK(writes == 0);
        return;
    }
    if (to_file && !falls_back) {
        CHECK(writes == 1 && said[0].fd == LOG_FILE);
        is_line(said[0].line, level, text);
        return;
    }
    if (!stderr_is_the_same) {
        CHECK(writes == 0);
        return;
    }
    if (falls_back && !complained)
        is_complaint(said[at++].line);
    if (!falls_back || level == LOG_WARN)
        is_line(said[at++].line, level, text);
    CHECK(writes == at);
    for (unsigned i = 0; i < writes; i++)
        CHECK(said[i].fd == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    enum log_level wants = take_byte(&in) % 4;
    file_error = (int)(take_byte(&in) % 50);
    char *file = take_line(&in);
    stderr_is_the_same = true;
    log_start(wants, file);
    atomic_store(&log_path_broken, false);
    CHECK(str_equal(log_path, strlen(file) < PATH_MAX ? file : ""));
    bool complained = false;

    for (int message_count = 0; message_count < MESSAGES && has_more(&in); message_count++) {
        enum log_level level = 1 + take_byte(&in) % 3;
        stderr_is_the_same = take_byte(&in) % 4 != 0;
        char *path = take_line(&in);
        char *message = take_line(&in);
        char *text = malloc(strlen(path) + strlen(message) + 3);

        writes = 0;
        errno = EXDEV;
        log_say(level, message);
        went_where_it_belongs(level, message, complained);
        complained |=
            log_path[0] != '\0' && file_error != 0 && file_error != ESRCH && log_wants(level);

        /* a path is shown as text_path shows it */
        char *shown = malloc(strlen(path) + 1);
        struct text t = text_in(shown, strlen(path) + 1);
        text_path(&t, path);
        sprintf(text, "%s: %s", shown, message);
        writes = 0;
        log_say_path(level, path, message);
        CHECK(errno == EXDEV);
        if (strlen(text) < LOG_LINE_SIZE - 64) /* else it is cut between characters */
            went_where_it_belongs(level, text, complained);
        for (unsigned i = 0; i < writes && is_shown(message); i++)
            CHECK(count_of(said[i].line, '\n') == 1 && str_ends_with(said[i].line, "\n"));
        free(shown);
        free(text);
        free(message);
        free(path);
    }
    free(file);
    return 0;
}
