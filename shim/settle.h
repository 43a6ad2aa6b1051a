/* settle: waiting for stores and files, asked for by name.
 *
 *     cc program.c $(pkg-config --cflags --libs settle)
 *
 * Under the shim the same functions are there without linking, such as for Python's
 * ctypes.CDLL(None). A program that links the library is under the shim, too: its closes wait.
 *
 * Both functions look first, and return at once, without any sleep, where nobody holds the file.
 * Where somebody does, they wait until it is let go or max_wait is past. A held file is one on
 * which an exclusive lock would not be granted to somebody else; the locks of the calling process
 * count, too, so call them after your own close.
 *
 * Numbers are seconds, from 0 to 86400; 0 looks once. A negative number stands for what is
 * configured: SETTLE_MAX_WAIT and SETTLE_CHECK_INTERVAL, or the rule of SETTLE_RULES for the place.
 * These waits are no part of SETTLE_TOTAL_WAIT, and SETTLE_DISABLE, which is about closes, does not
 * turn them off.
 *
 * They may be called by any thread at any time, in a signal handler and in a child of vfork() too.
 * They are no cancellation points, allocate nothing, keep errno, and neither use a descriptor
 * number of the process nor drop one of its locks: the looking is done by a helper thread with a
 * descriptor table of its own. Signal handlers run during the wait, and the wait goes on. A program
 * that filters its own system calls (seccomp) must let clone, close_range, futex and what the
 * helper calls pass.
 */
#ifndef SETTLE_H
#define SETTLE_H

/* The one place that has it: commands, scripts, man pages and packages take it from here. */
#define SETTLE_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

struct settle_result {
    int settled;    /* 1: nobody holds it any more. 0: somebody does, or see error */
    int error;      /* 0; otherwise one of errno.h, why the question could not be answered:
                       EINVAL        path is NULL, a number is not a number or above 86400, or the
                                     file is no regular one
                       ENOENT        no such file, or it was removed or replaced during the wait
                       EISDIR        settle_wait_file was given a directory
                       ENOTDIR       settle_wait_store was given something else
                       ENODATA       there is no store in the directory
                       ENAMETOOLONG  the path has 4096 bytes or more
                       EACCES        the file may not be looked at
                       EAGAIN, ENOMEM, ENOSYS, EPERM, ENOTSUP, ECANCELED
                                     there was no helper thread, or a system call filter is in the
                                     way (ENOTSUP, ECANCELED)
                       ETIMEDOUT     the file system does not answer
                       ESRCH         this is a child that a signal handler forked during the wait
                       or what else the system said of the file */
    double elapsed; /* how long the call took, in seconds */
};

/* Waits for a file, and where it is an SQLite database, for its -wal, -shm and -journal.
 * check_interval: the longest sleep between two looks. */
struct settle_result settle_wait_file(const char *path, double max_wait, double check_interval);

/* Waits for the store in a directory (ChromaDB's, with its chroma.sqlite3): as settle_wait_file for
 * its main file, and then, with what is left of max_wait, for its index files. An index file that
 * is still held is said in the log, and the store is settled all the same. */
struct settle_result settle_wait_store(const char *directory, double max_wait);

#ifdef __cplusplus
}
#endif

#endif
