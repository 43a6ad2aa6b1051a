/* The locks of this process's own engine by SQLite's VFS unix-dotfile (wait/dotfile.h): it makes a
 * directory, and removes it. Nothing else tells whose such a lock is.
 *
 * Keeps errno, takes no lock, and may be called in a signal handler.
 */
#ifndef SETTLE_DOTLOCK_H
#define SETTLE_DOTLOCK_H

#include "track/use.h"
#include "wait/dotfile.h"

/* The second look. */
void dotlock_note(const char *path, bool held);

/* The program has made (held) or removed a directory whose name ends so (seen_ending); result: of
 * the call, which is returned. */
static inline int dotlock_changed(const char *path, uint16_t ending, bool held, int result)
{
    const uint16_t of_dotfiles = 'c' | 'k' << 8;
    if (__builtin_expect(ending == of_dotfiles, 0) && result == 0 && dotfile_has_name(path))
        dotlock_note(path, held);
    return result;
}

static inline uint16_t dotlock_ending(const char *path)
{
    return __builtin_expect(use_names() != 0, 0) && sys_is_address(path) ? seen_ending(path) : 0;
}

#endif
