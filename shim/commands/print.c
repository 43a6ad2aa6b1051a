#include "commands/print.h"

#include "holders/sqlite_locks.h"
#include "holders/words.h"
#include <stdio.h>
#include <stdlib.h>

/* --- sentences --- */

static void say(const char *path, const char *ending, const struct text *message)
{
    char buffer[2 * PATH_MAX];
    struct text line = text_in(buffer, sizeof buffer);
    text_str(&line, "settle-wait: ");
    text_path(&line, path);
    text_path(&line, ending);
    text_str(&line, ": ");
    text_bytes(&line, message->data, message->length);
    fprintf(stderr, "%s\n", buffer);
}

static bool somebody_is_unnamed(const struct holders *found)
{
    for (unsigned i = 0; i < found->count; i++)
        if (found->list[i].pid == 0 && found->list[i].where == WHERE_HERE &&
            found->list[i].hold != HOLD_DOTFILE)
            return true;
    return false;
}

static void say_missing(const struct target *t)
{
    char buffer[256];
    struct text message = text_in(buffer, sizeof buffer);
    holders_say_missing(&message, &t->holders);
    if (message.length > 0)
        say(t->given, "", &message);
}

static void say_holders(const struct target *t)
{
    char buffer[384];
    for (unsigned i = 0; i < t->holders.count; i++) {
        const struct holder *h = &t->holders.list[i];
        struct text message = text_in(buffer, sizeof buffer);
        if (i == 0) {
            text_str(&message, "still locked after ");
            text_seconds(&message, t->result.elapsed);
            text_str(&message, ", held by ");
        } else {
            text_str(&message, "also held by ");
        }
        holder_describe(&message, h);
        if (i == 0 && t->rule->name[0] != '\0') {
            text_str(&message, " rule=");
            text_str(&message, t->rule->name);
        }
        say(t->request.path, h->ending, &message);
    }
    if (t->holders.unlisted > 0) {
        struct text message = text_in(buffer, sizeof buffer);
        text_str(&message, "also held ");
        text_int(&message, t->holders.unlisted);
        text_str(&message, " times more");
        say(t->request.path, "", &message);
    }
    if (somebody_is_unnamed(&t->holders))
        say_missing(t);
}

static void say_frames(const struct target *t)
{
    char buffer[256];
    struct text message = text_in(buffer, sizeof buffer);
    if (t->frames == 0)
        return;
    if (t->frames < 0) {
        text_str(&message, "cannot be read; whether the database is whole without it is not known");
    } else {
        text_int(&message, t->frames);
        text_str(&message, t->frames == 1 ? " frame is" : " frames are");
        text_str(&message, t->folded ? " folded into the database now"
                                     : " not in the database yet; --checkpoint folds them in");
    }
    say(t->request.path, "-wal", &message);
}

static void say_journal(const struct target *t)
{
    char buffer[256];
    struct text message = text_in(buffer, sizeof buffer);
    if (!t->hot_journal)
        return;
    text_str(&message, "a transaction that was cut off ");
    text_str(&message, t->folded ? "has been rolled back now"
                                 : "is not rolled back yet; --checkpoint rolls it back");
    say(t->request.path, "-journal", &message);
}

static void say_beside(const struct target *t)
{
    say_frames(t);
    say_journal(t);
}

static void say_not_sqlite(const struct target *t)
{
    char buffer[128];
    struct text message = text_in(buffer, sizeof buffer);
    text_str(&message, "is no SQLite database: there was nothing to fold in");
    say(t->given, "", &message);
}

static void say_reason(const struct target *t)
{
    char buffer[sizeof t->reason];
    struct text message = text_in(buffer, sizeof buffer);
    text_str(&message, t->reason);
    say(t->given, "", &message);
}

/* Whoever SQLite has found in the way may have gone since. */
static void say_held(const struct target *t)
{
    char buffer[128];
    struct text message = text_in(buffer, sizeof buffer);
    if (t->reason[0] != '\0') {
        say_reason(t);
    } else if (t->holders.count > 0) {
        say_holders(t);
    } else {
        text_str(&message, "still locked after ");
        text_seconds(&message, t->result.elapsed);
        say(t->request.path, "", &message);
    }
}

void print_sentences(const struct target *t)
{
    if (t->status == STATUS_UNEXAMINED)
        say_reason(t);
    if (t->status == STATUS_HELD)
        say_held(t);
    if (t->not_sqlite)
        say_not_sqlite(t);
    bool said = t->status == STATUS_HELD && t->reason[0] != '\0';
    if (t->located && !t->copy.made && !said)
        say_beside(t);
}

/* --- the table --- */

static void add_where(struct text *cell, const struct holder *h)
{
    if (h->where == WHERE_OTHER_HOST)
        text_str(cell, ", on another host");
    else if (h->where == WHERE_OTHER_NAMESPACE)
        text_str(cell, ", " HOLDER_OUTSIDE);
    if (h->inner_pid != 0) {
        text_str(cell, ", pid ");
        text_int(cell, h->inner_pid);
        text_str(cell, HOLDER_CONTAINED);
    }
}

static void print_row(const struct target *t, const struct holder *h)
{
    char pid[24] = "-";
    char fd[24] = "-";
    char command[32] = "-";
    char holds[128];
    char file[2 * PATH_MAX];
    struct text cell;
    if (h->pid != 0) {
        cell = text_in(pid, sizeof pid);
        text_int(&cell, h->pid);
    }
    if (h->descriptor >= 0) {
        cell = text_in(fd, sizeof fd);
        text_int(&cell, h->descriptor);
        text_str(&cell, h->writes ? "w" : "r");
    }
    if (h->command[0] != '\0') {
        cell = text_in(command, sizeof command);
        text_path(&cell, h->command);
    }
    cell = text_in(holds, sizeof holds);
    text_str(&cell, hold_name(h->hold));
    if (h->sqlite != 0) {
        text_str(&cell, ", ");
        sqlite_locks_say(&cell, h->sqlite);
    }
    add_where(&cell, h);
    cell = text_in(file, sizeof file);
    text_path(&cell, t->request.path);
    text_path(&cell, h->ending);
    printf("%-8s %-16s %-6s %-36s %s\n", pid, command, fd, holds, file);
}

void print_table(const struct target *targets, unsigned n)
{
    bool begun = false;
    for (unsigned i = 0; i < n; i++) {
        const struct target *t = &targets[i];
        for (unsigned j = 0; j < t->holders.count; j++) {
            if (!begun)
                printf("%-8s %-16s %-6s %-36s %s\n", "PID", "COMMAND", "FD", "HOLDS", "FILE");
            begun = true;
            print_row(t, &t->holders.list[j]);
        }
        if (t->status == STATUS_UNEXAMINED || t->frames != 0 || t->hot_journal)
            print_sentences(t);
        if (t->located)
            say_missing(t);
    }
}

/* --- JSON --- */

/* Holders have no number that a buffer could be made for. */
static void flush(struct text *t)
{
    fwrite(t->data, 1, t->length, stdout);
    t->length = 0;
}

static const char *name_of(enum status status)
{
    return status == STATUS_SETTLED ? "settled" : status == STATUS_HELD ? "held" : "unexamined";
}

static void add_target(struct json *j, const struct target *t)
{
    json_object(j, NULL);
    json_str(j, "path", t->given);
    json_str(j, "status", name_of(t->status));
    if (t->located) {
        json_str(j, "file", t->request.path);
        if (t->rule->name[0] != '\0')
            json_str(j, "rule", t->rule->name);
        json_str(j, "until", until_names[t->request.until]);
        json_seconds(j, "elapsed", t->result.elapsed);
        json_int(j, "frames", t->frames);
        json_bool(j, "hot_journal", t->hot_journal);
        json_bool(j, "folded", t->folded);
        json_bool(j, "remote", t->result.remote);
    }
    if (t->copy.made) {
        json_str(j, "copy", t->copy.path);
        json_int(j, "bytes", (long)t->copy.bytes);
        json_str(j, "by", t->copy.by);
    }
    if (t->copy.hold > 0)
        json_seconds(j, "hold", t->copy.hold);
    if (t->reason[0] != '\0')
        json_str(j, "reason", t->reason);
    flush(j->text);
    json_list(j, "holders");
    for (unsigned i = 0; i < t->holders.count; i++) {
        holder_json(j, &t->holders.list[i], t->request.path);
        flush(j->text);
    }
    json_end(j, ']');
    if (t->holders.list != NULL)
        json_bool(j, "complete", holders_complete(&t->holders));
    json_end(j, '}');
    flush(j->text);
}

void print_json(const struct target *targets, unsigned n, enum status status, uint64_t elapsed)
{
    /* four paths whose every byte is escaped, and what else a target has */
    static char buffer[4 * 6 * PATH_MAX + 4096];
    struct text t = text_in(buffer, sizeof buffer);
    struct json j = json_begin(&t);
    json_str(&j, "status", name_of(status));
    json_seconds(&j, "elapsed", elapsed);
    json_list(&j, "paths");
    for (unsigned i = 0; i < n; i++)
        add_target(&j, &targets[i]);
    json_end(&j, ']');
    json_end(&j, '}');
    text_str(&t, "\n");
    flush(&t);
}
