/* The one table of what the library exports and calls through.
 *
 * LIBC(name): resolved at start (base/elf_lookup.h); what a libc lacks keeps its stand-in (real.c).
 * LATE(name): resolved at their first use.
 * MADE(name): calls others of them.
 * CALLED(name): resolved with them and not exported; NULL where the process lacks it. An import
 *     (link/imports.h) costs each start of a process ten times as much.
 * SQLITE(name): resolved for each caller (sqlite.c).
 * ASKED(name): resolved in the same way and not exported.
 * ANSWER(name): exported for those who ask for it by name (sanitizer.c).
 * API(name): the library's own (settle.h).
 * tests/abi/check holds the exported symbols of the built library against this table.
 */
#define SETTLE_LIBC_SYMBOLS(LIBC)                                                                  \
    LIBC(open)                                                                                     \
    LIBC(open64)                                                                                   \
    LIBC(openat)                                                                                   \
    LIBC(openat64)                                                                                 \
    LIBC(creat)                                                                                    \
    LIBC(creat64)                                                                                  \
    LIBC(__open_2)                                                                                 \
    LIBC(__open64_2)                                                                               \
    LIBC(__openat_2)                                                                               \
    LIBC(__openat64_2)                                                                             \
    LIBC(fopen)                                                                                    \
    LIBC(fopen64)                                                                                  \
    LIBC(freopen)                                                                                  \
    LIBC(freopen64)                                                                                \
    LIBC(fdopen)                                                                                   \
    LIBC(dup)                                                                                      \
    LIBC(dup2)                                                                                     \
    LIBC(dup3)                                                                                     \
    LIBC(fcntl)                                                                                    \
    LIBC(fcntl64)                                                                                  \
    LIBC(flock)                                                                                    \
    LIBC(lockf)                                                                                    \
    LIBC(lockf64)                                                                                  \
    LIBC(close)                                                                                    \
    LIBC(close_range)                                                                              \
    LIBC(closefrom)                                                                                \
    LIBC(fclose)                                                                                   \
    LIBC(fcloseall)                                                                                \
    LIBC(sendmsg)                                                                                  \
    LIBC(sendmmsg)                                                                                 \
    LIBC(recvmsg)                                                                                  \
    LIBC(recvmmsg)                                                                                 \
    LIBC(clone)                                                                                    \
    LIBC(quick_exit)                                                                               \
    LIBC(prctl)                                                                                    \
    LIBC(syscall)                                                                                  \
    LIBC(dlopen)                                                                                   \
    LIBC(dlclose)

/* Resolved at the first call of any of them: most processes call none, and each costs the start.
 * fstat, which most do call, and of the others none, is resolved alone. */
#define SETTLE_LATE_SYMBOLS(LATE)                                                                  \
    LATE(fstat)                                                                                    \
    LATE(fstat64)                                                                                  \
    LATE(opendir)                                                                                  \
    LATE(fdopendir)                                                                                \
    LATE(scandir)                                                                                  \
    LATE(scandir64)                                                                                \
    LATE(scandirat)                                                                                \
    LATE(scandirat64)                                                                              \
    LATE(mkdir)                                                                                    \
    LATE(unlink)                                                                                   \
    LATE(unlinkat)                                                                                 \
    LATE(rmdir)                                                                                    \
    LATE(remove)                                                                                   \
    LATE(rename)                                                                                   \
    LATE(renameat)                                                                                 \
    LATE(renameat2)                                                                                \
    LATE(posix_spawn)                                                                              \
    LATE(posix_spawnp)                                                                             \
    LATE(system)                                                                                   \
    LATE(popen)                                                                                    \
    LATE(fork)                                                                                     \
    LATE(vfork)                                                                                    \
    LATE(_Fork)                                                                                    \
    LATE(daemon)                                                                                   \
    LATE(forkpty)                                                                                  \
    LATE(unshare)                                                                                  \
    LATE(setns)                                                                                    \
    LATE(chroot)                                                                                   \
    LATE(execve)                                                                                   \
    LATE(execv)                                                                                    \
    LATE(execvp)                                                                                   \
    LATE(execvpe)                                                                                  \
    LATE(fexecve)                                                                                  \
    LATE(execveat)                                                                                 \
    LATE(_exit)                                                                                    \
    LATE(_Exit)

/* Made of others of the table. */
#define SETTLE_MADE_SYMBOLS(MADE)                                                                  \
    MADE(execl)                                                                                    \
    MADE(execlp)                                                                                   \
    MADE(execle)

#define SETTLE_CALLED_SYMBOLS(CALLED)                                                              \
    CALLED(dlsym)                                                                                  \
    CALLED(dladdr)                                                                                 \
    CALLED(dlerror)                                                                                \
    CALLED(fileno)                                                                                 \
    CALLED(gnu_get_libc_version)                                                                   \
    CALLED(pthread_getcpuclockid)                                                                  \
    CALLED(pthread_self)

#define SETTLE_SQLITE_SYMBOLS(SQLITE)                                                              \
    SQLITE(sqlite3_open)                                                                           \
    SQLITE(sqlite3_open16)                                                                         \
    SQLITE(sqlite3_open_v2)                                                                        \
    SQLITE(sqlite3_close)                                                                          \
    SQLITE(sqlite3_close_v2)

#define SETTLE_SQLITE_ASKED(ASKED)                                                                 \
    ASKED(sqlite3_db_filename)                                                                     \
    ASKED(sqlite3_next_stmt)                                                                       \
    ASKED(sqlite3_stmt_busy)

#define SETTLE_ANSWER_SYMBOLS(ANSWER) ANSWER(__asan_default_options)

#define SETTLE_API_SYMBOLS(API)                                                                    \
    API(settle_wait_file)                                                                          \
    API(settle_wait_store)
