#include "helper/lines.h"

#include "base/clock.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "helper/append.h"
#include "helper/helper.h"
#include "helper/subject.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

enum { LINES_MOST = 24 };

enum { END_BY_HELPER = 1, END_BY_THREAD };

struct lines {
    const void *frame; /* of who holds them */
    int pid, thread;
    bool lent;        /* the thread touches nothing else of it */
    atomic_bool busy; /* a line is being added or written: a signal handler keeps off */
    unsigned count;
    uint32_t used;
    struct line {
        const char *path; /* NULL: standard error */
        lines_failed *failed;
        uint32_t at, length;
        int error; /* of writing it; NOT_WRITTEN */
    } line[LINES_MOST];
    char data[];
};
static const uint32_t room = SCRATCH_SIZE - sizeof(struct lines);

enum { NOT_WRITTEN = -1 };

static bool wanted;

static __thread struct lines *held __attribute__((tls_model("initial-exec")));

void lines_start(void)
{
    wanted = true;
}

int lines_pid(const struct lines *l)
{
    return subject_of(l->pid);
}

int lines_thread(const struct lines *l)
{
    return l->thread;
}

/* --- writing --- */

static bool is_unwritten(const struct line *line, const char *path)
{
    return line->path == path && line->error == NOT_WRITTEN;
}

/* Those of one file, which is opened once; lines that lie one behind the other with one write. */
static void write_to(struct lines *l, const char *path)
{
    struct piece pieces[LINES_MOST];
    unsigned count = 0;
    for (unsigned i = 0; i < l->count; i++) {
        const struct line *line = &l->line[i];
        const char *data = l->data + line->at;
        struct piece *last = count > 0 ? &pieces[count - 1] : NULL;
        if (!is_unwritten(line, path))
            continue;
        if (last != NULL && last->data + last->length == data)
            last->length += line->length;
        else
            pieces[count++] = (struct piece){data, line->length};
    }
    int error = append_here(path, pieces, count);
    for (unsigned i = 0; i < l->count; i++)
        if (is_unwritten(&l->line[i], path))
            l->line[i].error = error;
}

/* In a helper. */
static void write_all(struct lines *l)
{
    for (unsigned i = 0; i < l->count; i++)
        if (l->line[i].path != NULL && l->line[i].error == NOT_WRITTEN)
            write_to(l, l->line[i].path);
}

struct request {
    struct lines *lines;
};

static void write_in_helper(void *argument)
{
    const struct request *request = argument;
    write_all(request->lines);
}

static bool has_unwritten(const struct lines *l)
{
    for (unsigned i = 0; i < l->count; i++)
        if (l->line[i].path != NULL && l->line[i].error == NOT_WRITTEN)
            return true;
    return false;
}

static int write_by_helper(struct lines *l)
{
    struct helper *helper = helper_new(sizeof(struct request));
    if (helper == NULL)
        return ENOMEM;
    *(struct request *)helper_request(helper) = (struct request){l};
    int error = append_run(helper, write_in_helper);
    helper_free(helper);
    return error;
}

static void complain(const struct lines *l, int error)
{
    for (unsigned i = 0; i < l->count; i++) {
        const struct line *line = &l->line[i];
        int own = line->error == NOT_WRITTEN ? error : line->error;
        if (line->path == NULL)
            line->failed(l->data + line->at, line->length, 0);
        else if (own != 0 && own != ESRCH)
            line->failed(l->data + line->at, line->length, own);
    }
}

/* In the program's thread. Empties the lines; false where a helper that hangs has them now. */
static bool finish(struct lines *l)
{
    int error = has_unwritten(l) ? write_by_helper(l) : 0;
    if (error == ETIMEDOUT) {
        for (unsigned i = 0; i < l->count; i++)
            if (l->line[i].path != NULL)
                l->line[i].failed("", 0, error);
        return false;
    }
    complain(l, error);
    l->count = l->used = 0;
    return true;
}

static void write_one(const char *path, const char *line, size_t length, lines_failed *failed)
{
    int error = append_line(path, line, length);
    if (error != 0 && error != ESRCH)
        failed(line, length, error);
}

/* --- adding --- */

static bool fits(const struct lines *l, size_t length)
{
    return l->count < LINES_MOST && length <= room - l->used;
}

static void add(struct lines *l, const char *path, const char *line, size_t length,
                lines_failed *failed)
{
    l->line[l->count++] = (struct line){.path = path,
                                        .failed = failed,
                                        .at = l->used,
                                        .length = (uint32_t)length,
                                        .error = NOT_WRITTEN};
    memcpy(l->data + l->used, line, length);
    l->used += (uint32_t)length;
}

/* --- holding --- */

/* A vfork child, which shares them, holds nothing: its hooks do nothing. */
static bool is_ours(const struct lines *l)
{
    return l->pid == sys_getpid();
}

/* Where a helper has them, or a signal handler left them in the midst of something, they are left
 * for good. */
static void drop(struct lines *l)
{
    held = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    if (is_ours(l) && !l->lent && !atomic_load(&l->busy) && finish(l))
        scratch_give(l);
}

void lines_hold(const void *frame)
{
    if (!wanted)
        return;
    if (held != NULL && (!is_ours(held) || (const char *)held->frame <= (const char *)frame))
        drop(held);
    if (held != NULL)
        return;
    struct lines *l = scratch_take();
    if (l == NULL)
        return;
    l->frame = frame;
    l->pid = sys_getpid();
    l->thread = subject_thread();
    l->count = l->used = 0;
    atomic_store(&l->busy, false);
    l->lent = false;
    held = l;
}

void lines_release(const void *frame)
{
    if (held != NULL && held->frame == frame)
        drop(held);
}

/* Held by this thread, and free for it to use. */
static struct lines *usable(void)
{
    struct lines *l = held;
    return l != NULL && !l->lent && !atomic_load(&l->busy) && is_ours(l) &&
                   (const char *)l->frame > (const char *)__builtin_frame_address(0)
               ? l
               : NULL;
}

void lines_put(const char *path, const char *line, size_t length, lines_failed *failed)
{
    struct lines *l = usable();
    if (l != NULL) {
        atomic_store(&l->busy, true);
        if (!fits(l, length) && !finish(l)) {
            held = NULL;
            l = NULL;
        }
    }
    bool added = l != NULL && fits(l, length);
    if (added)
        add(l, path, line, length, failed);
    if (l != NULL)
        atomic_store(&l->busy, false);
    if (!added)
        write_one(path, line, length, failed);
}

/* --- lent to a helper --- */

bool lines_lend(struct lending *lending)
{
    struct lines *l = usable();
    if (l == NULL)
        return false;
    l->lent = true;
    atomic_store(&lending->lines, l);
    return true;
}

static bool claim_end(struct lending *lending, int by)
{
    int nobody = 0;
    return atomic_compare_exchange_strong(&lending->end, &nobody, by);
}

void lines_write(struct lending *lending)
{
    struct lines *l = atomic_exchange(&lending->lines, NULL);
    if (l == NULL)
        return;
    write_all(l);
    atomic_store(&lending->lines, l);
}

struct lines *lines_begin_end(struct lending *lending)
{
    struct lines *l = atomic_exchange(&lending->lines, NULL);
    if (l == NULL || claim_end(lending, END_BY_HELPER))
        return l;
    scratch_give(l); /* the thread did not wait for them to be written */
    return NULL;
}

void lines_end(struct lending *lending, struct lines *l)
{
    write_all(l);
    atomic_store(&lending->lines, l);
}

bool lines_take_back(struct lending *lending)
{
    struct lines *l = atomic_exchange(&lending->lines, NULL);
    bool by_helper = !claim_end(lending, END_BY_THREAD);
    if (l != NULL)
        l->lent = false;
    else if (held != NULL && held->lent)
        held = NULL;
    return by_helper;
}

/* What is written and went well makes room. */
static void make_room(struct lines *l)
{
    write_all(l);
    for (unsigned i = 0; i < l->count; i++)
        if (l->line[i].error != 0)
            return;
    l->count = l->used = 0;
}

void lines_add(struct lines *l, const char *path, const char *line, size_t length,
               lines_failed *failed)
{
    if (!fits(l, length))
        make_room(l);
    if (fits(l, length))
        add(l, path, line, length, failed);
    else if (path != NULL)
        append_here(path, &(struct piece){line, length}, 1);
}
