#include "holders/search.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/sys.h"
#include "base/text.h"
#include "holders/sqlite_locks.h"

bool search_matters(const struct holder *h, enum until until)
{
    if (h->hold == HOLD_LEASE)
        return h->exclusive || until == UNTIL_CLOSED;
    return hold_is_lock(h->hold) || until == UNTIL_CLOSED ||
           (until == UNTIL_UNWRITTEN && h->writes);
}

bool search_add(struct holders *found, const struct holder *h)
{
    if (found->count == found->room) {
        found->unlisted++;
        return false;
    }
    found->list[found->count++] = *h;
    return true;
}

bool search_out_of_time(struct search *s)
{
    if (clock_now() >= s->question->deadline)
        s->found->hurried = true;
    return s->found->hurried;
}

void search_add_file(struct search *s, const char *ending)
{
    char path[PATH_MAX];
    struct sys_statx st = {.mask = 0};
    if (!path_beside(path, sizeof path, s->question->path, ending) ||
        sys_statx_cached(AT_FDCWD, path, 0, &st) < 0)
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
    file->has_twins = file->in_proc.major != st.dev_major || file->in_proc.minor != st.dev_minor;
    s->file_count++;
}

const struct file *search_file_of(const struct search *s, struct identity identity)
{
    for (unsigned i = 0; i < s->file_count; i++)
        if (identity_same(s->files[i].identity, identity))
            return &s->files[i];
    return NULL;
}

const struct file *search_file_in_proc(const struct search *s, struct proc_file in_proc)
{
    for (unsigned i = 0; i < s->file_count; i++) {
        const struct proc_file *file = &s->files[i].in_proc;
        if (file->ino == in_proc.ino && file->major == in_proc.major &&
            file->minor == in_proc.minor)
            return &s->files[i];
    }
    return NULL;
}

void search_set_file(struct holder *h, const struct file *file)
{
    h->ending = file->ending;
    if (hold_is_record_lock(h->hold))
        h->sqlite = sqlite_locks_in(file->wal_index, h->exclusive, h->start, h->end);
}

bool search_same_lock(const struct holder *a, const struct holder *b)
{
    return a->hold == b->hold && a->exclusive == b->exclusive && str_equal(a->ending, b->ending) &&
           a->start == b->start && a->end == b->end;
}

bool search_take_lock(struct search *s, struct holder *lock, int pid)
{
    int taker = lock->pid;
    lock->pid = pid;
    for (unsigned i = 0; i < s->found->count; i++) {
        struct holder *h = &s->found->list[i];
        if (!search_same_lock(h, lock))
            continue;
        if (h->descriptor < 0 && h->pid == taker) {
            *h = *lock;
            return true;
        }
        if (h->pid == pid && (lock->hold == HOLD_POSIX_READ || lock->hold == HOLD_POSIX_WRITE))
            return false;
    }
    if (!search_add(s->found, lock) && s->untold > 0) { /* it has been counted before */
        s->untold--;
        s->found->unlisted--;
    }
    return true;
}
