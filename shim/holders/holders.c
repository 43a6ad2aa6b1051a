#include "holders/holders.h"

#include "base/clock.h"
#include "base/identity.h"
#include "base/lines.h"
#include "base/sys.h"
#include "config/profile.h"
#include "holders/proc.h"

#include <errno.h>
#include <string.h>

enum { FILES_MAX = 4, FIRST_MAX = 64 };

/* A file whose holders are looked for. */
struct file {
    struct identity identity;
    struct proc_file in_proc;
    const char *ending;
    bool wal_index;
};

struct search {
    const struct holders_question *question;
    struct holders *found;
    struct file files[FILES_MAX];
    unsigned file_count;
    int self; /* this process, as /proc counts */
    /* Processes that are looked into before all others, and so not again. */
    struct {
        int pid;
        bool refused;
    } first[FIRST_MAX];
    unsigned first_count;
    unsigned untold; /* locks of /proc/locks that found no room */
    bool saw_init;
};

/* Whether a hold keeps the file from the level. A lease for reading stands in the way of nothing
 * but an open for writing. */
static bool matters(const struct holder *h, enum until until)
{
    if (h->hold == HOLD_LEASE)
        return h->exclusive || until == UNTIL_CLOSED;
    return hold_is_lock(h->hold) || until == UNTIL_CLOSED ||
           (until == UNTIL_UNWRITTEN && h->writes);
}

/* False, having counted it, if there is no room. */
static bool add(struct holders *found, const struct holder *h)
{
    if (found->count == found->room) {
        found->unlisted++;
        return false;
    }
    found->list[found->count++] = *h;
    return true;
}

static bool out_of_time(struct search *s)
{
    if (clock_now() >= s->question->deadline)
        s->found->hurried = true;
    return s->found->hurried;
}

/* --- which files --- */

static void add_file(struct search *s, const char *ending)
{
    char path[PATH_MAX];
    struct sys_statx st = {.mask = 0};
    struct text t = text_in(path, sizeof path);
    text_str(&t, s->question->path);
    text_str(&t, ending);
    if (t.length + 1 == t.size || sys_statx_cached(AT_FDCWD, path, 0, &st) < 0)
        return;
    struct file *file = &s->files[s->file_count];
    *file = (struct file){
        .identity = {sys_device(st.dev_major, st.dev_minor), st.ino},
        .in_proc = {st.dev_major, st.dev_minor, st.ino},
        .ending = ending,
        .wal_index = str_ends_with(path, "-shm"),
    };
    if (s->file_count > 0 && s->files[0].identity.dev == file->identity.dev) {
        file->in_proc.major = s->files[0].in_proc.major;
        file->in_proc.minor = s->files[0].in_proc.minor;
    } else {
        proc_find_superblock(&file->in_proc, st.mnt_id);
    }
    s->file_count++;
}

static const struct file *file_of(const struct search *s, struct identity identity)
{
    for (unsigned i = 0; i < s->file_count; i++)
        if (identity_same(s->files[i].identity, identity))
            return &s->files[i];
    return NULL;
}

static const struct file *file_in_proc(const struct search *s, struct proc_file in_proc)
{
    for (unsigned i = 0; i < s->file_count; i++) {
        const struct proc_file *file = &s->files[i].in_proc;
        if (file->ino == in_proc.ino && file->major == in_proc.major &&
            file->minor == in_proc.minor)
            return &s->files[i];
    }
    return NULL;
}

/* --- locks --- */

/* Says of a lock which of the files it is on. */
static void set_file(struct holder *h, const struct file *file)
{
    h->ending = file->ending;
    if (hold_is_record_lock(h->hold))
        h->sqlite = holder_sqlite_locks(file->wal_index, h->exclusive, h->start, h->end);
}

static bool same_lock(const struct holder *a, const struct holder *b)
{
    return a->hold == b->hold && a->exclusive == b->exclusive && str_equal(a->ending, b->ending) &&
           a->start == b->start && a->end == b->end;
}

static bool is_told(const struct holders *found, const struct holder *lock)
{
    for (unsigned i = 0; i < found->count; i++)
        if (found->list[i].pid == lock->pid && same_lock(&found->list[i], lock))
            return true;
    return false;
}

/* The kernel tells a page at a time, and locks that come and go between two pages make it tell some
 * twice and leave others out. What is left out, and a second one that is the same, is found with
 * its process. */
static void search_proc_locks(struct search *s)
{
    struct lines lines;
    char *line;
    if (lines_open(&lines, "/proc/locks") < 0)
        return;
    while (!out_of_time(s) && (line = lines_next(&lines)) != NULL) {
        struct proc_lock lock;
        const struct file *file = proc_read_lock(&lock, line) ? file_in_proc(s, lock.file) : NULL;
        if (file == NULL)
            continue;
        set_file(&lock.holder, file);
        if (matters(&lock.holder, s->question->until) && !is_told(s->found, &lock.holder) &&
            !add(s->found, &lock.holder))
            s->untold++;
    }
    lines_close(&lines);
}

/* A lock of a descriptor: completes the one that /proc/locks told of, or is a further one. Several
 * processes have the same flock or OFD lock after a fork, and each of them keeps it. False if the
 * process's lock is known by another descriptor already: a POSIX lock is its process's. */
static bool take_lock(struct search *s, struct holder *lock, int pid)
{
    int taker = lock->pid;
    lock->pid = pid;
    for (unsigned i = 0; i < s->found->count; i++) {
        struct holder *h = &s->found->list[i];
        if (!same_lock(h, lock))
            continue;
        if (h->descriptor < 0 && h->pid == taker) {
            *h = *lock;
            return true;
        }
        if (h->pid == pid && (lock->hold == HOLD_POSIX_READ || lock->hold == HOLD_POSIX_WRITE))
            return false;
    }
    if (!add(s->found, lock) && s->untold > 0) { /* it has been counted before */
        s->untold--;
        s->found->unlisted--;
    }
    return true;
}

/* --- processes --- */

/* table: "/proc/PID" or "/proc/PID/task/TID"; name: of the descriptor's entry. */
static void look_at_descriptor(struct search *s, int pid, const char *table, const char *name,
                               const struct file *file)
{
    struct lines lines;
    char path[96];
    char *line;
    struct text t = text_in(path, sizeof path);
    text_str(&t, table);
    text_str(&t, "/fdinfo/");
    text_str(&t, name);
    if (lines_open(&lines, path) < 0)
        return;
    struct holder h = {.pid = pid, .descriptor = (int)text_number(name), .ending = file->ending};
    bool has_lock = false;
    int flags = O_PATH;
    while ((line = lines_next(&lines)) != NULL) {
        const char *key = next_field(&line);
        if (key != NULL && str_equal(key, "flags:"))
            flags = proc_read_flags(line + strspn(line, "\t "));
        struct proc_lock lock;
        if (key == NULL || !str_equal(key, "lock:") || !proc_read_lock(&lock, line))
            continue;
        lock.holder.descriptor = h.descriptor;
        lock.holder.writes = (flags & O_ACCMODE) != O_RDONLY;
        set_file(&lock.holder, file);
        if (matters(&lock.holder, s->question->until))
            has_lock |= take_lock(s, &lock.holder, pid);
    }
    lines_close(&lines);
    h.writes = (flags & O_ACCMODE) != O_RDONLY;
    h.hold = h.writes ? HOLD_WRITING : HOLD_OPEN;
    bool only_a_name = (flags & O_PATH) != 0;
    if (!has_lock && !only_a_name && matters(&h, s->question->until))
        add(s->found, &h);
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
        if (++result % 64 == 0 && out_of_time(s))
            break;
        int error = sys_statx_cached(listing.fd, entry->name, 0, &st);
        if (error == -EACCES && !proc_may_look_behind(listing.fd, entry->name)) {
            result = error;
            break;
        }
        struct identity identity = {sys_device(st.dev_major, st.dev_minor), st.ino};
        const struct file *file = error < 0 ? NULL : file_of(s, identity);
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
    struct lines lines;
    char path[64];
    char *line;
    bool mapped[FILES_MAX] = {false};
    bool writes[FILES_MAX] = {false};
    struct text t = text_in(path, sizeof path);
    text_str(&t, table);
    text_str(&t, "/maps");
    if (lines_open(&lines, path) < 0)
        return;
    while ((line = lines_next(&lines)) != NULL) {
        struct proc_mapping mapping;
        const struct file *file =
            proc_read_mapping(&mapping, line) ? file_in_proc(s, mapping.file) : NULL;
        if (file == NULL)
            continue;
        mapped[file - s->files] = true;
        writes[file - s->files] |= proc_mapping_writes(&mapping, table);
    }
    lines_close(&lines);
    for (unsigned i = 0; i < s->file_count; i++) {
        struct holder h = {.hold = HOLD_MAPPED,
                           .writes = writes[i],
                           .pid = pid,
                           .descriptor = -1,
                           .ending = s->files[i].ending};
        if (mapped[i] && matters(&h, s->question->until) &&
            !has_descriptor(s, pid, &s->files[i], writes[i]))
            add(s->found, &h);
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

/* False if that is not permitted, or there is no time left. */
static bool look_into(struct search *s, int pid)
{
    char table[32];
    struct text t = text_in(table, sizeof table);
    if (out_of_time(s))
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

static bool came_first(const struct search *s, int pid)
{
    for (unsigned i = 0; i < s->first_count; i++)
        if (s->first[i].pid == pid)
            return true;
    return false;
}

static void look_first_into(struct search *s, int pid)
{
    if (pid == 0 || s->first_count == FIRST_MAX || came_first(s, pid))
        return;
    s->first[s->first_count].pid = pid;
    s->first[s->first_count++].refused = !look_into(s, pid);
}

/* /proc/locks tells of a flock or lease who took it. If that process has been looked into and does
 * not have it, somebody has inherited it or has been given it. */
static void disown_what_was_passed_on(struct search *s)
{
    for (unsigned i = 0; i < s->found->count; i++) {
        struct holder *h = &s->found->list[i];
        for (unsigned j = 0; j < s->first_count; j++)
            if (h->pid == s->first[j].pid && h->descriptor < 0 && !s->first[j].refused &&
                (h->hold == HOLD_FLOCK || h->hold == HOLD_LEASE))
                h->pid = 0;
    }
}

static void look_into_all(struct search *s)
{
    struct listing processes;
    if (listing_open(&processes, "/proc") < 0)
        return;
    const struct entry *entry;
    while ((entry = listing_next(&processes)) != NULL && !s->found->hurried) {
        int pid = (int)text_number(entry->name);
        if (pid > 0 && !came_first(s, pid))
            look_into(s, pid);
    }
    listing_close(&processes);
}

/* --- who they are --- */

static void name(struct holders *found, struct holder *h)
{
    if (h->pid == 0 || h->where != WHERE_HERE)
        return;
    for (const struct holder *known = found->list; known < h; known++)
        if (known->pid == h->pid && known->where == WHERE_HERE) {
            h->inner_pid = known->inner_pid;
            memcpy(h->command, known->command, sizeof h->command);
            return;
        }
    proc_read_command(h->pid, h->command, sizeof h->command);
    h->inner_pid = proc_inner_pid(h->pid);
}

/* --- the one that the kernel named --- */

/* Whether a found holder is the one that the kernel meant. It says no more of a lease that it
 * refuses than that somebody has the file open. */
static bool is_meant(const struct holder *found, const struct holder *seen)
{
    if (!str_equal(found->ending, seen->ending))
        return false;
    if (seen->hold == HOLD_OPEN || seen->hold == HOLD_WRITING)
        return seen->hold == HOLD_OPEN || found->writes;
    if (seen->where == WHERE_OTHER_NAMESPACE)
        return false;
    if (hold_is_record_lock(seen->hold))
        return same_lock(found, seen) && (found->pid == seen->pid || seen->pid == 0);
    return found->hold == seen->hold;
}

static void put_first(struct search *s, const struct holder *seen)
{
    struct holders *found = s->found;
    struct holder first = *seen;
    unsigned at = 0;
    while (at < found->count && !is_meant(&found->list[at], seen))
        at++;
    if (at < found->count) {
        first = found->list[at];
    } else if (found->count < found->room) {
        found->count++;
    } else {
        at = found->room - 1;
        found->unlisted++;
    }
    memmove(&found->list[1], &found->list[0], at * sizeof first);
    found->list[0] = first;
}

/* A pid is the kernel's, by this process's pid namespace, which may not be that of /proc. */
static struct holder as_proc_counts(const struct search *s, const struct holder *seen)
{
    struct holder h = *seen;
    const struct file *file = NULL;
    for (unsigned i = 0; i < s->file_count; i++)
        if (str_equal(s->files[i].ending, h.ending))
            file = &s->files[i];
    if (file != NULL)
        set_file(&h, file);
    if (s->self != sys_getpid() && h.where == WHERE_HERE)
        h.pid = 0;
    if (s->question->remote && h.pid > 0 && h.where == WHERE_HERE &&
        (!proc_exists(h.pid) || (file != NULL && !proc_has_inode(h.pid, file->identity.ino))))
        h.where = WHERE_OTHER_HOST;
    return h;
}

/* --- together --- */

void holders_find(struct holders *found, const struct holders_question *question,
                  const struct holder *seen)
{
    struct search s = {.question = question, .found = found, .self = proc_self()};
    found->count = found->unlisted = found->refused = 0;
    found->hurried = false;

    add_file(&s, "");
    for (int i = 0; question->sidecars && sidecar_endings[i] != NULL; i++)
        add_file(&s, sidecar_endings[i]);
    if (question->locks)
        search_proc_locks(&s);
    unsigned told = found->count;
    for (unsigned i = 0; i < told; i++)
        look_first_into(&s, found->list[i].pid);
    look_first_into(&s, s.self);
    look_into_all(&s);
    disown_what_was_passed_on(&s);

    found->out_of_sight = !s.saw_init || !proc_shows_all();
    if (seen != NULL) {
        struct holder known = as_proc_counts(&s, seen);
        put_first(&s, &known);
    }
    for (unsigned i = 0; i < found->count; i++)
        name(found, &found->list[i]);
}

void holders_complete_one(struct holder *seen)
{
    if (hold_is_record_lock(seen->hold))
        seen->sqlite = holder_sqlite_locks(str_equal(seen->ending, "-shm"), seen->exclusive,
                                           seen->start, seen->end);
    if (seen->pid == 0 || seen->where != WHERE_HERE)
        return;
    if (proc_self() != sys_getpid())
        seen->pid = 0;
    else
        proc_read_command(seen->pid, seen->command, sizeof seen->command);
}

bool holders_complete(const struct holders *found)
{
    return found->unlisted == 0 && found->refused == 0 && !found->hurried && !found->out_of_sight;
}

/* --- telling --- */

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
