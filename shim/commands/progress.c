#include "commands/progress.h"

#include "base/clock.h"
#include "base/sys.h"
#include "holders/words.h"

#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

static bool drawn;

bool progress_wanted(void)
{
    return isatty(STDERR_FILENO) == 1;
}

/* To look for the holders takes milliseconds, so that is done once a second. Without /proc/locks,
 * which would take a lock of the whole machine each time. */
static const struct holders *holders_of(const struct target *t)
{
    static struct holder list[16];
    static struct holders found = {.list = list, .room = sizeof list / sizeof list[0]};
    static const char *of;
    static uint64_t asked;
    uint64_t now = clock_now();
    if (of == t->given && now - asked < 1000000000u)
        return &found;
    const struct holders_question question = {.path = t->request.path,
                                              .sidecars = true,
                                              .profile = t->request.profile,
                                              .until = t->request.until,
                                              .deadline = now + wait_naming_limit};
    of = t->given;
    holders_find(&found, &question, NULL);
    asked = clock_now();
    return &found;
}

static size_t columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* Cuts a line at a width, not within a character of UTF-8. */
static void cut(struct text *line, size_t width)
{
    if (line->length < width)
        return;
    line->length = width - 1;
    while (line->length > 0 && ((unsigned char)line->data[line->length] & 0xc0) == 0x80)
        line->length--;
}

static void say_name(struct text *t, const struct holder *h)
{
    if (h->hold == HOLD_DOTFILE) {
        text_str(t, "nobody that can be named");
    } else if (holder_unnamed(h) != NULL) {
        text_str(t, holder_unnamed(h));
    } else if (h->where == WHERE_OTHER_HOST) {
        text_str(t, "pid ");
        text_int(t, h->pid);
        text_str(t, " on another host");
    } else {
        text_path(t, h->command[0] != '\0' ? h->command : "command unknown");
        text_str(t, " (pid ");
        text_int(t, h->pid);
        text_str(t, ")");
    }
}

/* "python3 (pid 4242) and 2 more, POSIX write lock". */
static void say_holders(struct text *t, const struct holders *found)
{
    const struct holder *first = &found->list[0];
    const unsigned more = found->count - 1 + found->unlisted;
    say_name(t, first);
    if (more > 0) {
        text_str(t, " and ");
        text_int(t, more);
        text_str(t, " more");
    }
    text_str(t, ", ");
    text_str(t, hold_name(first->hold));
}

static void draw(struct text *line)
{
    static const char start[] = "\r\033[K";
    cut(line, columns());
    drawn = true;
    struct iovec parts[] = {{(void *)(uintptr_t)start, sizeof start - 1},
                            {line->data, line->length}};
    (void)!writev(STDERR_FILENO, parts, 2);
}

/* Who holds it comes first: that is what the line is read for, and a narrow terminal cuts the rest.
 */
void progress_draw(const struct target *t)
{
    char buffer[PATH_MAX + 1024];
    uint64_t now = clock_now();
    const struct holders *found = holders_of(t);
    struct text line = text_in(buffer, sizeof buffer);
    text_seconds(&line, now < t->deadline ? t->deadline - now : 0);
    if (found->count > 0) {
        text_str(&line, " left, held by ");
        say_holders(&line, found);
        text_str(&line, ": ");
    } else {
        text_str(&line, " left, waiting for ");
    }
    text_path(&line, t->given);
    draw(&line);
}

/* With one decimal, rounded down. */
static void say_megabytes(struct text *t, uint64_t bytes)
{
    text_int(t, (long)(bytes / 1000000));
    text_str(t, ".");
    text_int(t, (long)(bytes / 100000 % 10));
}

void progress_say_bytes(struct text *t, uint64_t bytes, uint64_t total)
{
    say_megabytes(t, bytes);
    text_str(t, " of ");
    say_megabytes(t, total);
    text_str(t, " MB");
}

void progress_draw_copy(const struct target *t, uint64_t bytes, uint64_t total, uint64_t deadline)
{
    char buffer[PATH_MAX + 1024];
    uint64_t now = clock_now();
    struct text line = text_in(buffer, sizeof buffer);
    bool copied = bytes >= total && deadline == UINT64_MAX;
    text_str(&line, copied ? "checking the copy of " : "copying ");
    text_path(&line, t->given);
    text_str(&line, ", ");
    progress_say_bytes(&line, bytes, total);
    if (bytes < total) {
        text_str(&line, ", ");
        say_megabytes(&line, total - bytes);
        text_str(&line, " MB left");
    }
    if (deadline != UINT64_MAX) {
        text_str(&line, "; writers wait for ");
        text_seconds(&line, now < deadline ? deadline - now : 0);
        text_str(&line, " more at most");
    }
    draw(&line);
}

void progress_erase(void)
{
    if (drawn)
        (void)!write(STDERR_FILENO, "\r\033[K", 4);
    drawn = false;
}
