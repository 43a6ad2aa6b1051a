#include "holders/processes.h"

#include "base/listing.h"
#include "base/scan.h"
#include "base/sys.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

/* table: "/proc/PID" or "/proc/PID/task/TID"; name: of the descriptor's entry. */
static void look_at_descriptor(struct search *s, int pid, const char *table, const char *name,
                               const struct file *file)
{
    struct scan lines;
    char path[96];
    char *line;
    struct text t = text_in(path, sizeof path);
    text_str(&t, table);
    text_str(&t, "/fdinfo/");
    text_str(&t, name);
    if (scan_open(&lines, path) < 0)
        return;
    struct holder h = {.pid = pid, .descriptor = (int)text_number(name), .ending = file->ending};
    bool has_lock = false;
    int flags = O_PATH;
    while ((line = scan_line(&lines)) != NULL) {
        const char *key = scan_field(&line);
        if (key != NULL && str_equal(key, "flags:"))
            flags = proc_read_flags(line + strspn(line, "\t "));
        struct proc_lock lock;
        if (key == NULL || !str_equal(key, "lock:") || !proc_read_lock(&lock, line))
            continue;
        lock.holder.descriptor = h.descriptor;
        lock.holder.writes = (flags & O_ACCMODE) != O_RDONLY;
        search_set_file(&lock.holder, file);
        if (search_matters(&lock.holder, s->question->until))
            has_lock |= search_take_lock(s, &lock.holder, pid);
    }
    scan_close(&lines);
    h.writes = (flags & O_ACCMODE) != O_RDONLY;
    h.hold = h.writes ? HOLD_WRITING : HOLD_OPEN;
    bool only_a_name = (flags & O_PATH) != 0;
    if (!has_lock && !only_a_name && search_matters(&h, s->question->until))
        search_add(s->found, &h);
}

/* Looks at the descriptors of a table. Returns how many there are, or -errno. */
static int look_at_descriptors(struct search *s, int pid, const char *table)
{
    struct listing listing;
    char path[64];
    struct text t = text_in(path, sizeof path);
    text_str(&t, table);
    text_str(&t, "/fd");
    int result = listing_open(&listing, path);
    if (result < 0)
        return result;
    const struct entry *entry;
    while ((entry = listing_next(&listing)) != NULL) {
        struct sys_statx st;
        if (entry->name[0] == '.')
            continue;
        if (++result % 64 == 0 && search_out_of_time(s))
            break;
        int error = sys_statx_cached(listing.fd, entry->name, 0, &st);
        if (error == -EACCES && !proc_may_look_behind(listing.fd, entry->name)) {
            result = error;
            break;
        }
        struct identity identity = {sys_device(st.dev_major, st.dev_minor), st.ino};
        const struct file *file = error < 0 ? NULL : search_file_of(s, identity);
        if (file != NULL)
            look_at_descriptor(s, pid, table, entry->name, file);
    }
    listing_close(&listing);
    return result;
}

static bool has_descriptor(const struct search *s, int pid, const struct file *file, bool writes)
{
    for (unsigned i = 0; i < s->found->count; i++) {
        const struct holder *h = &s->found->list[i];
        if (h->pid == pid && h->descriptor >= 0 && str_equal(h->ending, file->ending) &&
            (h->writes || !writes))
            return true;
    }
    return false;
}

static void look_at_mappings(struct search *s, int pid, const char *table)
{
    struct scan lines;
    char path[64];
    char *line;
    bool mapped[SEARCH_FILES] = {false};
    bool writes[SEARCH_FILES] = {false};
    struct text t = text_in(path, sizeof path);
    text_str(&t, table);
    text_str(&t, "/maps");
    if (scan_open(&lines, path) < 0)
        return;
    while ((line = scan_line(&lines)) != NULL) {
        struct proc_mapping mapping;
        const struct file *file =
            proc_read_mapping(&mapping, line) ? search_file_in_proc(s, mapping.file) : NULL;
        if (file == NULL ||
            (file->has_twins && !proc_mapping_is_of(&mapping, table, file->identity)))
            continue;
        mapped[file - s->files] = true;
        writes[file - s->files] |= proc_mapping_writes(&mapping, table);
    }
    scan_close(&lines);
    for (unsigned i = 0; i < s->file_count; i++) {
        struct holder h = {.hold = HOLD_MAPPED,
                           .writes = writes[i],
                           .pid = pid,
                           .descriptor = -1,
                           .ending = s->files[i].ending};
        if (mapped[i] && search_matters(&h, s->question->until) &&
            !has_descriptor(s, pid, &s->files[i], writes[i]))
            search_add(s->found, &h);
    }
}

static int look_at_table(struct search *s, int pid, const char *table)
{
    int descriptors = look_at_descriptors(s, pid, table);
    if (descriptors >= 0 && s->question->until != UNTIL_UNLOCKED)
        look_at_mappings(s, pid, table);
    return descriptors;
}

/* A process whose first thread has ended shows nothing of its own; the other threads do. */
static int look_at_threads(struct search *s, int pid)
{
    struct listing tasks;
    char path[64];
    struct text t = text_in(path, sizeof path);
    proc_path(&t, pid, "/task");
    if (listing_open(&tasks, path) < 0)
        return 0;
    const struct entry *entry;
    int descriptors = 0;
    while (descriptors == 0 && (entry = listing_next(&tasks)) != NULL) {
        if (entry->name[0] == '.' || text_number(entry->name) == pid)
            continue;
        t = text_in(path, sizeof path);
        proc_path(&t, pid, "/task/");
        text_str(&t, entry->name);
        descriptors = look_at_table(s, pid, path);
    }
    listing_close(&tasks);
    return descriptors;
}

bool processes_look_into(struct search *s, int pid)
{
    char table[32];
    struct text t = text_in(table, sizeof table);
    if (search_out_of_time(s))
        return false;
    proc_path(&t, pid, "");
    int descriptors = look_at_table(s, pid, table);
    if (descriptors == 0)
        descriptors = look_at_threads(s, pid);
    bool refused = descriptors == -EACCES || descriptors == -EPERM;
    s->found->refused += refused;
    s->saw_init |= pid == 1;
    return !refused && !s->found->hurried;
}
