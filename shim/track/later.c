#include "track/later.h"

#include "base/patience.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "track/books.h"
#include "track/keep.h"
#include "track/look.h"
#include "track/opened.h"
#include "track/possible.h"
#include "track/process.h"
#include "track/readers.h"
#include "track/sum.h"
#include "track/track.h"

static struct later_books *const own = &BOOKS.later;

bool later_put(int fd)
{
    if (process_thread_has_left() || handle_entry(fd) == NULL)
        return false;
    readers_note(fd); /* when it was opened */
    atomic_fetch_add(&own->count, 1);
    if (handle_change_later(fd, LATER_NOT, LATER_NOTED))
        return true;
    atomic_fetch_sub(&own->count, 1);
    return false;
}

static void forget(int fd)
{
    if (!handle_change_later(fd, LATER_NOTED, LATER_NOT))
        return;
    atomic_fetch_sub(&own->count, 1);
    readers_forget(fd);
}

void later_forget(int fd)
{
    if (handle_later(fd) == LATER_NOTED && process_thread_at_home())
        forget(fd);
}

/* Another thread is at it, with signals held. */
static SYS_OWN_FRAME void await_look(int fd)
{
    struct patience patience = {0};
    while (handle_later(fd) == LATER_LOOKED_AT && patience_wait(&patience))
        ;
}

/* Those that tell who has opened it. */
static SYS_OWN_FRAME int flags_of(int fd)
{
    return O_RDWR | ((sys_fcntl(fd, F_GETFD, 0) & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0);
}

static SYS_OWN_FRAME void look_closely(int fd, const struct stat *st)
{
    const sys_sigset old = process_hold_signals();
    if (handle_change_later(fd, LATER_NOTED, LATER_LOOKED_AT)) {
        if (st->st_size == 0)
            opened_examine_empty(fd, st, flags_of(fd));
        else
            opened_examine(fd, st, "");
        readers_forget(fd);
        handle_change_later(fd, LATER_LOOKED_AT, LATER_NOT);
        atomic_fetch_sub(&own->count, 1);
    }
    process_let_signals(old);
}

/* What fstat tells of one that deserves a close look; NULL where that is all. Who has no memory
 * loses the wait, no more. */
static SYS_OWN_FRAME struct stat *look(int fd)
{
    struct stat *st = scratch_take();
    const bool open = st != NULL && sys_fstat(fd, st) == 0;
    if (open && look_deserves(fd, st))
        return st;
    forget(fd);
    if (open)
        sum_stranger(fd, st);
    scratch_give(st);
    return NULL;
}

void later_look(int fd)
{
    if (handle_later(fd) == LATER_NOT || !track_is_on() ||
        (!readers_is_ours(fd) && !process_thread_at_home()))
        return;
    struct stat *st = look(fd);
    if (st != NULL)
        look_closely(fd, st);
    scratch_give(st);
    if (handle_later(fd) == LATER_LOOKED_AT)
        await_look(fd);
}

void later_look_at_all(void)
{
    if (atomic_load(&own->count) == 0)
        return;
    for (int fd = handle_next(0, ~0u); fd >= 0; fd = handle_next((unsigned)fd + 1, ~0u))
        later_look(fd);
}

/* While their names still lead to them. */
void track_moves(void)
{
    if (books_are_begun())
        later_look_at_all();
}

void track_called(int fd)
{
    later_look(fd);
}

void track_told(int fd, const struct stat *st)
{
    if (handle_later(fd) == LATER_NOTED && readers_is_ours(fd) && look_size_is_none(st) &&
        !sum_wanted())
        forget(fd);
}
