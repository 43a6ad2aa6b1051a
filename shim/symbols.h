/* The one table of what the library exports and calls through.
 *
 * LIBC(name): resolved by dlsym(RTLD_NEXT) at start; what a libc lacks keeps its stand-in (real.c).
 * SQLITE(name): resolved for each caller (sqlite.c).
 * ASKED(name): resolved in the same way and not exported.
 * API(name): the library's own (settle.h).
 * A test holds the exported symbols of the built library against this table.
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
    LIBC(close)                                                                                    \
    LIBC(close_range)                                                                              \
    LIBC(closefrom)                                                                                \
    LIBC(fclose)                                                                                   \
    LIBC(fcloseall)                                                                                \
    LIBC(recvmsg)                                                                                  \
    LIBC(recvmmsg)                                                                                 \
    LIBC(prctl)                                                                                    \
    LIBC(syscall)                                                                                  \
    LIBC(dlopen)                                                                                   \
    LIBC(dlclose)

#define SETTLE_SQLITE_SYMBOLS(SQLITE)                                                              \
    SQLITE(sqlite3_open)                                                                           \
    SQLITE(sqlite3_open16)                                                                         \
    SQLITE(sqlite3_open_v2)                                                                        \
    SQLITE(sqlite3_close)                                                                          \
    SQLITE(sqlite3_close_v2)

#define SETTLE_SQLITE_ASKED(ASKED)                                                                 \
    ASKED(sqlite3_db_filename)                                                                     \
    ASKED(sqlite3_next_stmt)

#define SETTLE_API_SYMBOLS(API)                                                                    \
    API(settle_wait_file)                                                                          \
    API(settle_wait_store)

/* What the library calls by name. It is linked with stubs made of these two lists (stub.S) instead
 * of the libc of the machine that builds it, so that no symbol version gets in and nothing that
 * another libc lacks. What is not in glibc 2.17 and in musl does not belong here: resolve it by
 * dlsym, or make the system call. The compiler calls bcmp and __stack_chk_fail, and on aarch64
 * reads
 * __stack_chk_guard, where it is told to protect the stack. */
#define SETTLE_LIBC_IMPORTS(IMPORT)                                                                \
    IMPORT(__errno_location)                                                                       \
    IMPORT(__stack_chk_fail)                                                                       \
    IMPORT(__stack_chk_guard)                                                                      \
    IMPORT(bcmp)                                                                                   \
    IMPORT(dl_iterate_phdr)                                                                        \
    IMPORT(environ)                                                                                \
    IMPORT(fflush)                                                                                 \
    IMPORT(fileno)                                                                                 \
    IMPORT(getauxval)                                                                              \
    IMPORT(getcwd)                                                                                 \
    IMPORT(memcmp)                                                                                 \
    IMPORT(memcpy)                                                                                 \
    IMPORT(memmove)                                                                                \
    IMPORT(memset)                                                                                 \
    IMPORT(realpath)                                                                               \
    IMPORT(strchr)                                                                                 \
    IMPORT(strcmp)                                                                                 \
    IMPORT(strcspn)                                                                                \
    IMPORT(strlen)                                                                                 \
    IMPORT(strncmp)                                                                                \
    IMPORT(strrchr)                                                                                \
    IMPORT(strspn)

#define SETTLE_LIBDL_IMPORTS(IMPORT)                                                               \
    IMPORT(dladdr)                                                                                 \
    IMPORT(dlerror)                                                                                \
    IMPORT(dlsym)
