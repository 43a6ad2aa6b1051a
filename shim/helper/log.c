#include "helper/log.h"

#include "base/descriptor.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "helper/append.h"
#include "helper/muted.h"
#include "helper/subject.h"

#include <poll.h>
#include <stdatomic.h>

static enum log_level wanted = LOG_OFF;
static const char *log_path = ""; /* a page that only a process with a log file has */
static struct stat stderr_at_start;
static bool stderr_was_open;
static atomic_bool log_path_broken;
static atomic_bool silenced;

SYS_AT_START void log_start(enum log_level level, const char *file)
{
    wanted = level;
    log_path = "";
    char *copy = file[0] == '\0' ? NULL : sys_mmap(PATH_MAX);
    if (copy != NULL && str_copy(copy, PATH_MAX, file)) {
        log_path = copy;
        if (level >= LOG_INFO) /* a warning comes alone */
            lines_start();
    }
    stderr_was_open = sys_fstat(2, &stderr_at_start) == 0;
}

SYS_AT_START bool log_wants(enum log_level level)
{
    return level <= wanted && !atomic_load_explicit(&silenced, memory_order_relaxed);
}

void log_silence(bool silent)
{
    atomic_store(&silenced, silent);
}

void log_begin(struct log_line *line, enum log_level level)
{
    log_begin_in(line, level, NULL);
}

void log_begin_in(struct log_line *line, enum log_level level, struct lines *lines)
{
    static const char *const names[] = {"", "warning: ", "", "debug: "};
    static char none[1];
    line->level = level;
    line->lines = lines;
    line->buffer = scratch_take();
    line->text = line->buffer == NULL ? text_in(none, sizeof none)
                                      : text_in(line->buffer, LOG_LINE_SIZE - 1); /* a newline */
    text_str(&line->text, "settle[");
    text_int(&line->text, lines == NULL ? subject_process() : lines_pid(lines));
    text_str(&line->text, "]: ");
    text_str(&line->text, names[level]);
}

/* The program may have closed descriptor 2 and got the number again for a database: a message
 * written there would destroy it. So 2 is used only while it is the file that it was at start. */
static bool stderr_is_ours(struct stat *now)
{
    return stderr_was_open && sys_fstat(2, now) == 0 && now->st_dev == stderr_at_start.st_dev &&
           now->st_ino == stderr_at_start.st_ino && now->st_rdev == stderr_at_start.st_rdev;
}

/* Someone may have meant well with 2<>database. Asked before each line, since few processes have
 * one to write, and each start would take 15 us longer. */
static bool stderr_is_store(void)
{
    char *path = scratch_take();
    if (path == NULL)
        return true; /* for all that is known */
    descriptor_path(2, path, PATH_MAX);
    bool is_store = append_would_harm(2, path);
    scratch_give(path);
    return is_store;
}

/* Whether a line can be written without blocking. A regular file always takes it, and is not asked,
 * since ppoll needs a descriptor limit above 0. */
static bool stderr_is_ready(void)
{
    struct stat now;
    if (!stderr_is_ours(&now))
        return false;
    return S_ISREG(now.st_mode) ? !stderr_is_store() : sys_poll(2, POLLOUT, 0) > 0;
}

/* A reader that went away, a limit of file sizes, or a terminal that stops background output must
 * not do to the program what the program did not ask for. */
static void write_stderr(const char *data, size_t length)
{
    if (!stderr_is_ready())
        return;
    const struct muted muted = muted_begin();
    muted_end(&muted, muted_raised_by(sys_write(2, data, length)));
}

/* Puts the newline in the room that log_begin left for it; returns the length with it. */
static size_t end_line(struct text *t)
{
    t->data[t->length] = '\n';
    return t->length + 1;
}

static void complain_of_file(int error)
{
    struct log_line complaint;
    log_begin(&complaint, LOG_WARN);
    text_str(&complaint.text, "SETTLE_LOG_FILE='");
    text_path(&complaint.text, log_path);
    text_str(&complaint.text, "': cannot be written (");
    text_error(&complaint.text, error);
    text_str(&complaint.text,
             "); expected a file in a directory that exists, no symbolic link and no database; "
             "warnings go to standard error");
    if (complaint.buffer != NULL)
        write_stderr(complaint.text.data, end_line(&complaint.text));
    scratch_give(complaint.buffer);
}

/* error 0: the line was never meant for the file. */
static void line_failed(const char *line, size_t length, int error)
{
    if (error == 0)
        write_stderr(line, length);
    else if (!atomic_exchange(&log_path_broken, true))
        complain_of_file(error);
}

static void warning_failed(const char *line, size_t length, int error)
{
    line_failed(line, length, error);
    if (error != 0 && length > 0)
        write_stderr(line, length);
}

static void write_out(const struct log_line *line, struct text *t)
{
    size_t length = end_line(t);
    const char *path = log_path[0] != '\0' ? log_path : NULL;
    lines_failed *failed = line->level == LOG_WARN ? warning_failed : line_failed;
    if (line->lines != NULL)
        lines_add(line->lines, path, t->data, length, failed);
    else if (path != NULL)
        lines_put(path, t->data, length, failed);
    else
        write_stderr(t->data, length);
}

void log_end(struct log_line *line)
{
    if (line->buffer != NULL)
        write_out(line, &line->text);
    scratch_give(line->buffer);
}

SYS_AT_START void log_say(enum log_level level, const char *message)
{
    if (!log_wants(level))
        return;
    struct log_line line;
    log_begin(&line, level);
    text_str(&line.text, message);
    log_end(&line);
}

void log_say_path(enum log_level level, const char *path, const char *message)
{
    if (!log_wants(level))
        return;
    struct log_line line;
    log_begin(&line, level);
    text_path(&line.text, path);
    text_str(&line.text, ": ");
    text_str(&line.text, message);
    log_end(&line);
}
