#include "holders/words.h"

#include "base/path.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "holders/sqlite_locks.h"

#include <limits.h>

const char *hold_name(enum hold hold)
{
    static const char *const names[] = {
        "nothing", "POSIX read lock", "POSIX write lock", "OFD lock",
        "flock",   "lease",           "open for writing", "open",
        "mapped",  "dot-file lock"};
    return names[hold];
}

const char *holder_unnamed(const struct holder *h)
{
    if (h->where == WHERE_OTHER_NAMESPACE)
        return "a process " HOLDER_OUTSIDE;
    return h->pid == 0 ? "a process that cannot be named from here" : NULL;
}

static void describe_process(struct text *t, const struct holder *h)
{
    if (h->hold == HOLD_DOTFILE) {
        text_str(t, " that names no process");
        return;
    }
    if (holder_unnamed(h) != NULL) {
        text_str(t, " of ");
        text_str(t, holder_unnamed(h));
        return;
    }
    text_str(t, " of pid ");
    text_int(t, h->pid);
    if (h->where == WHERE_OTHER_HOST) {
        text_str(t, " on another host");
        return;
    }
    text_str(t, " (");
    text_path(t, h->command[0] != '\0' ? h->command : "command unknown");
    if (h->pid == sys_getpid())
        text_str(t, ", this process");
    if (h->inner_pid != 0) {
        text_str(t, ", pid ");
        text_int(t, h->inner_pid);
        text_str(t, HOLDER_CONTAINED);
    }
    text_str(t, ")");
}

void holder_describe(struct text *t, const struct holder *h)
{
    text_str(t, hold_name(h->hold));
    describe_process(t, h);
    if (h->pid == sys_getpid() && h->descriptor >= 0) {
        text_str(t, ", descriptor ");
        text_int(t, h->descriptor);
    }
    if (h->sqlite != 0) {
        text_str(t, ", ");
        sqlite_locks_say(t, h->sqlite);
    }
    if (h->ending[0] != '\0') {
        text_str(t, " on ");
        text_str(t, h->ending);
    }
}

void holder_json(struct json *j, const struct holder *h, const char *path)
{
    static const char *const places[] = {"here", "another pid namespace", "another host"};
    char *file = scratch_take();
    if (file != NULL)
        path_beside(file, SCRATCH_SIZE, path, h->ending);
    json_object(j, NULL);
    json_int(j, "pid", h->pid);
    json_str(j, "command", h->command);
    json_str(j, "kind", hold_name(h->hold));
    json_str(j, "file", file == NULL ? path : file);
    scratch_give(file);
    if (h->sqlite != 0) {
        char lock[64];
        struct text t = text_in(lock, sizeof lock);
        sqlite_locks_say(&t, h->sqlite);
        json_str(j, "lock", lock);
    }
    if (hold_is_lock(h->hold))
        json_bool(j, "exclusive", h->exclusive);
    if (hold_is_record_lock(h->hold)) {
        json_int(j, "start", (long)h->start);
        if (h->end != HOLDER_TO_END)
            json_int(j, "end", (long)h->end);
    }
    if (h->descriptor >= 0)
        json_int(j, "fd", h->descriptor);
    if (h->descriptor >= 0 || h->hold == HOLD_MAPPED)
        json_bool(j, "writes", h->writes);
    if (h->inner_pid != 0)
        json_int(j, "inner_pid", h->inner_pid);
    if (h->where != WHERE_HERE)
        json_str(j, "where", places[h->where]);
    json_end(j, '}');
}

void holders_describe(struct text *t, const struct holders *found)
{
    const size_t room = 512; /* for one, and for what follows in the line */
    unsigned shown = 0;
    while (shown < found->count && (shown == 0 || t->size - t->length > room)) {
        text_str(t, shown == 0 ? "" : shown == 1 ? "; also " : "; ");
        holder_describe(t, &found->list[shown++]);
    }
    unsigned more = found->count - shown + found->unlisted;
    if (more > 0) {
        text_str(t, "; ");
        text_int(t, more);
        text_str(t, " more");
    }
    if (found->hurried)
        text_str(t, "; no time to look for others");
}

void holders_say_missing(struct text *t, const struct holders *found)
{
    const char *separator = "";
    if (found->refused > 0) {
        text_int(t, found->refused);
        text_str(t, found->refused == 1 ? " process" : " processes");
        text_str(t, " may not be looked into (another user's, or a more privileged one)");
        separator = "; ";
    }
    if (found->hurried) {
        text_str(t, separator);
        text_str(t, "there was no time to look into all processes");
        separator = "; ";
    }
    if (found->out_of_sight) {
        text_str(t, separator);
        text_str(t, "processes outside of this container (pid namespace) cannot be seen");
    }
}
