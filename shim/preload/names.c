/* Names: directories that are listed, files and directories that are renamed and removed. */
#include "preload/hooks.h"
#include "preload/real.h"
#include "track/dotlock.h"
#include "track/use.h"

/* --- listing; glob, ftw, nftw and fts open directories inside libc, and are not seen --- */

EXPORT DIR *opendir(const char *path)
{
    use_listing(AT_FDCWD, path);
    return real.opendir(path);
}

EXPORT DIR *fdopendir(int fd)
{
    if (hooks_is_bad(fd))
        return NULL;
    use_listing_descriptor(fd);
    return real.fdopendir(fd);
}

/* libuv lists by these. */
#define SCANDIR(name, entry)                                                                       \
    EXPORT int name(const char *path, struct entry ***list, int (*keep)(const struct entry *),     \
                    int (*compare)(const struct entry **, const struct entry **))                  \
    {                                                                                              \
        use_listing(AT_FDCWD, path);                                                               \
        return real.name(path, list, keep, compare);                                               \
    }
SCANDIR(scandir, dirent)
SCANDIR(scandir64, dirent64)

#define SCANDIRAT(name, entry)                                                                     \
    EXPORT int name(int dir, const char *path, struct entry ***list,                               \
                    int (*keep)(const struct entry *),                                             \
                    int (*compare)(const struct entry **, const struct entry **))                  \
    {                                                                                              \
        use_listing(dir, path);                                                                    \
        return real.name(dir, path, list, keep, compare);                                          \
    }
SCANDIRAT(scandirat, dirent)
SCANDIRAT(scandirat64, dirent64)

/* --- making: a directory may be a lock --- */

EXPORT int mkdir(const char *path, mode_t mode)
{
    const uint16_t ending = dotlock_ending(path);
    return dotlock_changed(path, ending, true, real.mkdir(path, mode));
}

/* --- removing --- */

/* The use apart from the question whether it may be one, which so needs no frame. */
#define REMOVE(name, parameters, arguments, dir)                                                   \
    static __attribute__((noinline)) int name##_as_use parameters                                  \
    {                                                                                              \
        use_of_name(dir, path, "remove");                                                          \
        return real.name arguments;                                                                \
    }                                                                                              \
    EXPORT int name parameters                                                                     \
    {                                                                                              \
        return use_may_remove(path) ? name##_as_use arguments : real.name arguments;               \
    }
REMOVE(unlink, (const char *path), (path), AT_FDCWD)
REMOVE(unlinkat, (int dir, const char *path, int flags), (dir, path, flags), dir)
REMOVE(remove, (const char *path), (path), AT_FDCWD)

EXPORT int rmdir(const char *path)
{
    const uint16_t ending = use_removing(AT_FDCWD, path);
    return dotlock_changed(path, ending, false, real.rmdir(path));
}

/* --- renaming: what has the new name now is removed --- */

#define RENAME(name, parameters, arguments, from_dir, to_dir)                                      \
    static __attribute__((noinline)) int name##_as_use parameters                                  \
    {                                                                                              \
        use_renaming(from_dir, from, to_dir, to);                                                  \
        return real.name arguments;                                                                \
    }                                                                                              \
    EXPORT int name parameters                                                                     \
    {                                                                                              \
        return use_may_rename(from, to) ? name##_as_use arguments : real.name arguments;           \
    }
RENAME(rename, (const char *from, const char *to), (from, to), AT_FDCWD, AT_FDCWD)
RENAME(renameat, (int from_dir, const char *from, int to_dir, const char *to),
       (from_dir, from, to_dir, to), from_dir, to_dir)
RENAME(renameat2, (int from_dir, const char *from, int to_dir, const char *to, unsigned flags),
       (from_dir, from, to_dir, to, flags), from_dir, to_dir)
