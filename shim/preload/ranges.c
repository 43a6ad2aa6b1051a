/* Descriptors that are closed by their range. */
#include "base/sys.h"
#include "preload/hooks.h"
#include "preload/real.h"
#include "track/track.h"

#include <limits.h>

/* Takes all tracked descriptors of a range out. */
static void closing_range(unsigned first, unsigned last)
{
    for (int fd = handle_next(first, last); fd >= 0; fd = handle_next((unsigned)fd + 1, last)) {
        struct closing closing;
        track_closing_by_force(fd, (int)(last < INT_MAX ? last : INT_MAX), &closing);
        track_closed(&closing);
    }
}

typedef int close_range_function(unsigned first, unsigned last, int flags);

/* With CLOSE_RANGE_UNSHARE the calling thread has a copy of the table before anything is closed;
 * only where no thread shares it is that a close like any other. */
static int close_range_in_a_copy(close_range_function *real_close_range, unsigned first,
                                 unsigned last, int flags)
{
    int result = real_close_range(first, last, flags);
    if (result == 0)
        track_left_table();
    return result;
}

/* Whom nobody has looked at yet: see track_closing_reader. */
static int close_range_of_readers(close_range_function *real_close_range, unsigned first,
                                  unsigned last, int flags)
{
    const bool begun = track_closing_readers(first, last);
    int result = real_close_range(first, last, flags);
    if (begun)
        track_closed_readers(first, last);
    return result;
}

static int close_range_by(close_range_function *real_close_range, unsigned first, unsigned last,
                          int flags)
{
    const int unshare = CLOSE_RANGE_UNSHARE;
    if ((flags & unshare) != 0 && track_shares_table())
        return close_range_in_a_copy(real_close_range, first, last, flags);
    /* With CLOSE_RANGE_CLOEXEC nothing is closed now. */
    if (first > last || (flags & ~unshare) != 0)
        return real_close_range(first, last, flags);
    if (handle_next(first, last) < 0 || !track_is_on())
        return close_range_of_readers(real_close_range, first, last, flags);
    /* A kernel or filter without close_range closes nothing, and then nothing may leave the table.
     * A range without descriptors tells. */
    if (real_close_range(~0u, ~0u, flags) < 0)
        return -1;
    track_defer(FRAME);
    closing_range(first, last);
    int result = close_range_of_readers(real_close_range, first, last, flags);
    track_resume(FRAME);
    return result;
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    return close_range_by(real.close_range, first, last, flags);
}

EXPORT void closefrom(int first)
{
    const unsigned from = first < 0 ? 0 : (unsigned)first;
    track_defer(FRAME);
    closing_range(from, ~0u);
    const bool begun = track_closing_readers(from, ~0u);
    real.closefrom(first);
    if (begun)
        track_closed_readers(from, ~0u);
    track_resume(FRAME);
}

/* As files.c has it of SYS_close. */
static int close_range_by_call(unsigned first, unsigned last, int flags)
{
    return (int)real.syscall(SYS_close_range, first, last, flags);
}

int hooks_close_range_by_number(unsigned first, unsigned last, int flags)
{
    return close_range_by(close_range_by_call, first, last, flags);
}
