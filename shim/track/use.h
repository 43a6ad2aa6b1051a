/* Uses: what the program does with a store's files other than through its engine. It lists, copies,
 * uploads, renames or removes them, and gets what it asked for once the store is settled
 * (SETTLE_AT_USE). Only in a process whose engine has the store open, or had.
 *
 * No use is an open of the directory, which SQLite syncs within its transaction, nor anything of a
 * sidecar, which it opens and removes; nor what SQLite does in a function that is hooked, or a
 * signal handler that has interrupted a wait, or a child.
 *
 * Every function keeps errno, takes no lock, and may be called in a signal handler.
 */
#ifndef SETTLE_USE_H
#define SETTLE_USE_H

#include "track/books.h"

/* settings must outlive the program. */
void use_start(const struct settings *settings);

/* The quick question: whether there is any store that could be used. One load. */
static inline uint64_t use_names(void)
{
    return atomic_load_explicit(&BOOKS.seen.names, memory_order_relaxed);
}

/* The same after a note of one's own in the books, which whoever enters a store looks for then. */
static inline uint64_t use_names_now(void)
{
    return atomic_load(&BOOKS.seen.names);
}

/* Before a directory is listed, by its path or its descriptor. */
static inline void use_listing(int dir, const char *path);
static inline void use_listing_descriptor(int fd);

/* Before a name is taken away. Returns the name's ending (seen_ending), or 0 where nothing asks for
 * it. */
static inline uint16_t use_removing(int dir, const char *path);

/* The same by its two halves, the quick question and the use. */
static inline bool use_may_remove(const char *path);
void use_of_name(int dir, const char *path, const char *what);

/* Before one is taken away and another given to what had it; where that may be a use, which is the
 * quick question. */
static inline bool use_may_rename(const char *from, const char *to);
void use_renaming(int from_dir, const char *from, int to_dir, const char *to);

/* Before a file is opened in a way that empties it. */
static inline void use_truncating(int dir, const char *path);

/* After one was opened and entered as a handle: by the program itself, unless it is the engine's.
 */
void use_opened(int fd);

/* Before a child is made that runs a program with these arguments, NULL-terminated; that runs a
 * command of the shell; of which nothing is known. */
static inline void use_starting(char *const *arguments);
static inline void use_starting_shell(const char *command);
static inline void use_starting_unknown(void);

/* Before another program takes this one's place: waits for all that was closed without a wait, too.
 */
void use_exec(char *const *arguments);

/* At the end of the program: waits for all stores that were closed without a wait and are not
 * settled since, for all of them together no longer than for the one of them with the longest
 * max_wait. */
void use_ended(void);

/* --- what the inline functions need --- */

void use_of_directory(int dir, const char *path);
void use_of_directory_descriptor(int fd);
void use_of_content(int dir, const char *path);
void use_by_child(char *const *arguments, const char *command);

static inline void use_listing(int dir, const char *path)
{
    if (__builtin_expect(use_names() != 0, 0))
        use_of_directory(dir, path);
}

static inline void use_listing_descriptor(int fd)
{
    if (__builtin_expect(use_names() != 0, 0))
        use_of_directory_descriptor(fd);
}

static inline __attribute__((always_inline)) uint16_t use_removing(int dir, const char *path)
{
    const uint64_t names = use_names();
    if (__builtin_expect(names == 0, 1) || !sys_is_address(path))
        return 0;
    const uint16_t ending = seen_ending(path);
    if (seen_name(names, ending))
        use_of_name(dir, path, "remove");
    return ending;
}

static inline __attribute__((always_inline)) bool use_has_name(uint64_t names, const char *path)
{
    return __builtin_expect(seen_name(names, seen_ending(path)), 0);
}

static inline __attribute__((always_inline)) bool use_may_remove(const char *path)
{
    const uint64_t names = use_names();
    return __builtin_expect(names != 0, 0) && sys_is_address(path) && use_has_name(names, path);
}

static inline __attribute__((always_inline)) bool use_may_rename(const char *from, const char *to)
{
    const uint64_t names = use_names();
    return __builtin_expect(names != 0, 0) && sys_is_address(from) && sys_is_address(to) &&
           (use_has_name(names, from) || use_has_name(names, to));
}

static inline void use_truncating(int dir, const char *path)
{
    if (__builtin_expect(use_names() != 0, 0) && path != NULL)
        use_of_content(dir, path);
}

static inline void use_starting(char *const *arguments)
{
    if (__builtin_expect(use_names() != 0, 0))
        use_by_child(arguments, NULL);
}

static inline void use_starting_shell(const char *command)
{
    if (__builtin_expect(use_names() != 0, 0))
        use_by_child(NULL, command);
}

static inline void use_starting_unknown(void)
{
    if (__builtin_expect(use_names() != 0, 0))
        use_by_child(NULL, NULL);
}

#endif
