#include "helper/record.h"

#include "base/clock.h"
#include "base/sys.h"
#include "helper/append.h"
#include "helper/log.h"
#include "helper/subject.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* Two paths whose every byte is escaped, and what else a line has; pages that are not touched cost
 * nothing. */
enum { RECORD_SIZE = 2 * 6 * PATH_MAX + 32768 };

static const char *file = "";
static const char *used = "";
static const char *program = ""; /* pages that only a process with a record has */
static atomic_bool broken;

SYS_AT_START void record_start(const char *record, const char *used_list)
{
    file = record;
    used = used_list;
    if (!record_wanted())
        return;
    lines_start();
    char *path = sys_mmap(PATH_MAX);
    if (path != NULL && sys_readlink("/proc/self/exe", path, PATH_MAX - 1) > 0)
        program = path; /* new pages are zeros, and so its end */
}

void record_program(const char *path)
{
    program = path;
}

SYS_AT_START bool record_wanted(void)
{
    return file[0] != '\0';
}

/* Once, whichever of the two it was. */
static void complain(const char *variable, const char *path, int error)
{
    struct log_line line;
    if (!log_wants(LOG_WARN) || atomic_exchange(&broken, true))
        return;
    log_begin(&line, LOG_WARN);
    text_str(&line.text, variable);
    text_str(&line.text, "='");
    text_path(&line.text, path);
    text_str(&line.text, "': cannot be written (");
    text_error(&line.text, error);
    text_str(&line.text, "), the record is incomplete; expected a file in a directory that exists, "
                         "no symbolic link and no database");
    log_end(&line);
}

/* --- the memory of one line, taken and given as in scratch.c --- */

static void *_Atomic kept;

static char *take_buffer(void)
{
    char *buffer = atomic_exchange(&kept, NULL);
    return buffer != NULL ? buffer : sys_mmap(RECORD_SIZE);
}

static void give_buffer(char *buffer)
{
    buffer = atomic_exchange(&kept, buffer);
    if (buffer != NULL)
        sys_munmap(buffer, RECORD_SIZE);
}

bool record_begin_in(struct record *r, const char *event, struct lines *lines)
{
    if (!record_wanted())
        return false;
    r->lines = lines;
    r->buffer = take_buffer();
    if (r->buffer == NULL) {
        if (lines == NULL)
            complain("SETTLE_RECORD", file, ENOMEM);
        return false;
    }
    r->text = text_in(r->buffer, RECORD_SIZE - 1); /* and the newline */
    if (atomic_load(&broken))
        text_str(&r->text, "\n"); /* the line before may have been cut */
    r->json = json_begin(&r->text);
    json_int(&r->json, "settle", RECORD_SCHEMA);
    json_str(&r->json, "event", event);
    json_seconds(&r->json, "time", clock_wall());
    json_int(&r->json, "pid", lines == NULL ? subject_process() : lines_pid(lines));
    json_int(&r->json, "thread", lines == NULL ? subject_thread() : lines_thread(lines));
    json_str(&r->json, "program", program);
    return true;
}

bool record_begin(struct record *r, const char *event)
{
    return record_begin_in(r, event, NULL);
}

static void record_failed(const char *line, size_t length, int error)
{
    (void)line;
    (void)length;
    complain("SETTLE_RECORD", file, error);
}

void record_end(struct record *r)
{
    json_end(&r->json, '}');
    r->text.data[r->text.length] = '\n';
    if (r->lines == NULL)
        lines_put(file, r->buffer, r->text.length + 1, record_failed);
    else
        lines_add(r->lines, file, r->buffer, r->text.length + 1, record_failed);
    give_buffer(r->buffer);
}

SYS_AT_START bool record_lists_used(void)
{
    return used[0] != '\0';
}

void record_used(const char *path)
{
    if (!record_lists_used())
        return;
    int error = append_line(used, path, strlen(path) + 1);
    if (error != 0 && error != ESRCH)
        complain("SETTLE_USED", used, error);
}
