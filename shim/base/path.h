/* Paths: joining and cutting them, in the caller's memory. They are bytes between slashes; nothing
 * here asks what is there. What does not fit is refused, with out empty: a path that was cut would
 * be that of another file. */
#ifndef SETTLE_PATH_H
#define SETTLE_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* "dir/name"; of the root "/name". */
bool path_join(char *out, size_t size, const char *directory, const char *name);

/* The same, where the directory is the first `length` bytes of a path; and these bytes alone. */
bool path_join_part(char *out, size_t size, const char *path, size_t length, const char *name);
bool path_part(char *out, size_t size, const char *path, size_t length);

/* A file that lies beside another one under its name: "x.db-wal". */
bool path_beside(char *out, size_t size, const char *path, const char *ending);

/* What a file is called in its directory: behind the last slash. Within the path. */
const char *path_name(const char *path);

/* The directory that a file is in: "." of a bare name, "/" of what is in the root. */
bool path_directory(char *out, size_t size, const char *path);

/* Makes a path that of the directory above, in its place: "/" of what is in the root. False, with
 * the path as it was, of the root and of a bare name. */
bool path_cut(char *path);

/* The working directory; false where it has no path (it was removed, or lies outside of the root).
 */
bool path_working(char *out, size_t size);

/* Puts the working directory before a relative path. False, with the path as it was, where that has
 * none or the whole does not fit. */
bool path_make_absolute(char *path, size_t size);

#endif
