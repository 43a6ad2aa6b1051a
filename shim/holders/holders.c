#include "holders/holders.h"

#include "base/listing.h"
#include "base/scan.h"
#include "base/sys.h"
#include "config/profile.h"
#include "holders/proc.h"
#include "holders/processes.h"
#include "holders/search.h"
#include "holders/sqlite_locks.h"

#include <string.h>

/* --- /proc/locks --- */

static bool is_told(const struct holders *found, const struct holder *lock)
{
    for (unsigned i = 0; i < found->count; i++)
        if (found->list[i].pid == lock->pid && search_same_lock(&found->list[i], lock))
            return true;
    return false;
}

/* The kernel tells a page at a time, and locks that come and go between two pages make it tell some
 * twice and leave others out. What is left out, and a second one that is the same, is found with
 * its process. */
static void search_proc_locks(struct search *s)
{
    struct scan lines;
    char *line;
    if (scan_open(&lines, "/proc/locks") < 0)
        return;
    while (!search_out_of_time(s) && (line = scan_line(&lines)) != NULL) {
        struct proc_lock lock;
        const struct file *file =
            proc_read_lock(&lock, line) ? search_file_in_proc(s, lock.file) : NULL;
        if (file == NULL)
            continue;
        search_set_file(&lock.holder, file);
        if (search_matters(&lock.holder, s->question->until) && !is_told(s->found, &lock.holder) &&
            !search_add(s->found, &lock.holder))
            s->untold++;
    }
    scan_close(&lines);
}

/* --- processes --- */

static bool came_first(const struct search *s, int pid)
{
    for (unsigned i = 0; i < s->first_count; i++)
        if (s->first[i].pid == pid)
            return true;
    return false;
}

static void look_first_into(struct search *s, int pid)
{
    if (pid == 0 || s->first_count == SEARCH_FIRST || came_first(s, pid))
        return;
    s->first[s->first_count].pid = pid;
    s->first[s->first_count++].refused = !processes_look_into(s, pid);
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

/* Whether all processes that may have it have been looked into: pid 0 may be any. */
static bool were_looked_into(const struct search *s, int pid)
{
    for (unsigned i = 0; i < s->first_count && pid != 0; i++)
        if (s->first[i].pid == pid)
            return !s->first[i].refused;
    return holders_complete(s->found);
}

/* Nobody has been found to have by a descriptor what /proc/locks told of: then it is a lock on a
 * twin, and not on the file. */
static bool is_of_a_twin(const struct search *s, const struct holder *h)
{
    if (h->descriptor >= 0 || !hold_is_lock(h->hold))
        return false;
    for (unsigned i = 0; i < s->file_count; i++)
        if (str_equal(s->files[i].ending, h->ending))
            return s->files[i].has_twins && were_looked_into(s, h->pid);
    return false;
}

static void drop_locks_of_twins(struct search *s)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < s->found->count; i++)
        if (!is_of_a_twin(s, &s->found->list[i]))
            s->found->list[kept++] = s->found->list[i];
    s->found->count = kept;
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
            processes_look_into(s, pid);
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
        return search_same_lock(found, seen) && (found->pid == seen->pid || seen->pid == 0);
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
        search_set_file(&h, file);
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

    search_add_file(&s, "");
    const char *ending;
    for (int i = 0; question->sidecars && (ending = profile_sidecar(question->profile, i)) != NULL;
         i++)
        search_add_file(&s, ending);
    if (question->locks)
        search_proc_locks(&s);
    unsigned told = found->count;
    for (unsigned i = 0; i < told; i++)
        look_first_into(&s, found->list[i].pid);
    look_first_into(&s, s.self);
    look_into_all(&s);
    found->out_of_sight = !s.saw_init || !proc_shows_all();
    drop_locks_of_twins(&s);
    disown_what_was_passed_on(&s);
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
        seen->sqlite = sqlite_locks_in(str_equal(seen->ending, "-shm"), seen->exclusive,
                                       seen->start, seen->end);
    if (seen->pid == 0 || seen->where != WHERE_HERE)
        return;
    const int self = proc_self();
    if (self != 0 && self != sys_getpid()) /* /proc counts in another pid namespace */
        seen->pid = 0;
    else
        proc_read_command(seen->pid, seen->command, sizeof seen->command);
}

bool holders_complete(const struct holders *found)
{
    return found->unlisted == 0 && found->refused == 0 && !found->hurried && !found->out_of_sight;
}
