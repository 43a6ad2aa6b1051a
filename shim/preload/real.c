#include "preload/real.h"

#include "base/elf_lookup.h"
#include "base/sys.h"
#include "preload/raw.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* --- stand-ins: other names of the same function, which musl lacks ---
 *
 * Not the system call: libc's open and fcntl are points where a thread can be cancelled. */

static int plain_open(const char *path, int flags, ...)
{
    TAKE_MODE(flags)
    return real.open(path, flags, mode);
}

static int plain_openat(int dir, const char *path, int flags, ...)
{
    TAKE_MODE(flags)
    return real.openat(dir, path, flags, mode);
}

static int plain_creat(const char *path, mode_t mode)
{
    return real.creat(path, mode);
}

static int plain_open_2(const char *path, int flags)
{
    return real.open(path, flags);
}

static int plain_openat_2(int dir, const char *path, int flags)
{
    return real.openat(dir, path, flags);
}

static int plain_fcntl(int fd, int command, ...)
{
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    return real.fcntl(fd, command, argument);
}

static int plain_lockf(int fd, int command, off_t length)
{
    return real.lockf(fd, command, length);
}

/* --- stand-ins: functions that only libc has, called before our constructor --- */

/* What a libc lacks after all is done by a system call, or cannot be done. */
#define EARLY(name, type, resolve, instead, parameters, arguments)                                 \
    static type early_##name parameters                                                            \
    {                                                                                              \
        resolve();                                                                                 \
        if (real.name != early_##name)                                                             \
            return real.name arguments;                                                            \
        return instead;                                                                            \
    }
#define LATE(name, type, instead, parameters, arguments)                                           \
    EARLY(name, type, real_resolve_late, instead, parameters, arguments)

static int lacks(void)
{
    errno = ENOSYS;
    return -1;
}

static void *lacks_pointer(void)
{
    errno = ENOSYS;
    return NULL;
}

#define KEEP(entry)    int (*keep)(const struct entry *)
#define COMPARE(entry) int (*compare)(const struct entry **, const struct entry **)
LATE(opendir, DIR *, lacks_pointer(), (const char *path), (path))
LATE(fdopendir, DIR *, lacks_pointer(), (int fd), (fd))
LATE(scandir, int, lacks(),
     (const char *path, struct dirent ***list, KEEP(dirent), COMPARE(dirent)),
     (path, list, keep, compare))
LATE(scandir64, int, lacks(),
     (const char *path, struct dirent64 ***list, KEEP(dirent64), COMPARE(dirent64)),
     (path, list, keep, compare))
LATE(scandirat, int, lacks(),
     (int dir, const char *path, struct dirent ***list, KEEP(dirent), COMPARE(dirent)),
     (dir, path, list, keep, compare))
LATE(scandirat64, int, lacks(),
     (int dir, const char *path, struct dirent64 ***list, KEEP(dirent64), COMPARE(dirent64)),
     (dir, path, list, keep, compare))
LATE(mkdir, int, raw_mkdir(path, mode), (const char *path, mode_t mode), (path, mode))
LATE(unlink, int, raw_unlinkat(AT_FDCWD, path, 0), (const char *path), (path))
LATE(unlinkat, int, raw_unlinkat(dir, path, flags), (int dir, const char *path, int flags),
     (dir, path, flags))
LATE(rmdir, int, raw_unlinkat(AT_FDCWD, path, AT_REMOVEDIR), (const char *path), (path))
LATE(remove, int, lacks(), (const char *path), (path))
LATE(rename, int, raw_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0),
     (const char *from, const char *to), (from, to))
LATE(renameat, int, raw_renameat2(from_dir, from, to_dir, to, 0),
     (int from_dir, const char *from, int to_dir, const char *to), (from_dir, from, to_dir, to))
LATE(renameat2, int, raw_renameat2(from_dir, from, to_dir, to, flags),
     (int from_dir, const char *from, int to_dir, const char *to, unsigned flags),
     (from_dir, from, to_dir, to, flags))
#define SPAWN_PARAMETERS                                                                           \
    (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,                     \
     const posix_spawnattr_t *attributes, char *const *arguments, char *const *environment)
LATE(posix_spawn, int, ENOSYS, SPAWN_PARAMETERS,
     (pid, path, actions, attributes, arguments, environment))
LATE(posix_spawnp, int, ENOSYS, SPAWN_PARAMETERS,
     (pid, path, actions, attributes, arguments, environment))
LATE(system, int, lacks(), (const char *command), (command))
LATE(popen, FILE *, lacks_pointer(), (const char *command, const char *mode), (command, mode))
LATE(fork, pid_t, lacks(), (void), ())
LATE(_Fork, pid_t, lacks(), (void), ())
LATE(daemon, int, lacks(), (int nochdir, int noclose), (nochdir, noclose))
LATE(forkpty, int, lacks(),
     (int *terminal, char *name, const struct termios *termios, const struct winsize *size),
     (terminal, name, termios, size))
LATE(unshare, int, lacks(), (int flags), (flags))
LATE(chroot, int, lacks(), (const char *path), (path))
LATE(setns, int, lacks(), (int fd, int type), (fd, type))
LATE(execve, int, raw_execve(path, arguments, environment),
     (const char *path, char *const *arguments, char *const *environment),
     (path, arguments, environment))
LATE(execv, int, raw_execve(path, arguments, environ), (const char *path, char *const *arguments),
     (path, arguments))
LATE(execvp, int, lacks(), (const char *file, char *const *arguments), (file, arguments))
LATE(execvpe, int, lacks(), (const char *file, char *const *arguments, char *const *environment),
     (file, arguments, environment))
LATE(fexecve, int, raw_execveat(fd, "", arguments, environment, AT_EMPTY_PATH),
     (int fd, char *const *arguments, char *const *environment), (fd, arguments, environment))
LATE(execveat, int, raw_execveat(dir, path, arguments, environment, flags),
     (int dir, const char *path, char *const *arguments, char *const *environment, int flags),
     (dir, path, arguments, environment, flags))

EARLY(lockf, int, real_resolve, lacks(), (int fd, int command, off_t length), (fd, command, length))

static int early_clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
    va_list list;
    void *more[3];
    va_start(list, argument);
    for (int i = 0; i < 3; i++)
        more[i] = va_arg(list, void *);
    va_end(list);
    real_resolve();
    if (real.clone != early_clone)
        return real.clone(function, stack, flags, argument, more[0], more[1], more[2]);
    errno = ENOSYS;
    return -1;
}

static FILE *early_fopen(const char *path, const char *mode)
{
    real_resolve();
    return real.fopen(path, mode);
}

static FILE *early_freopen(const char *path, const char *mode, FILE *stream)
{
    real_resolve();
    return real.freopen(path, mode, stream);
}

static FILE *early_fdopen(int fd, const char *mode)
{
    real_resolve();
    return real.fdopen(fd, mode);
}

static int early_fclose(FILE *stream)
{
    real_resolve();
    return real.fclose(stream);
}

static int early_fcloseall(void)
{
    real_resolve();
    if (real.fcloseall != early_fcloseall)
        return real.fcloseall();
    __typeof__(&fflush) flush = (__typeof__(&fflush))elf_find_anywhere("fflush");
    return flush == NULL ? EOF : flush(NULL);
}

static int early_fileno(FILE *stream)
{
    real_resolve();
    return real.fileno(stream);
}

/* A libc that lacks it has programs that call something else. */
static void *find_alone(const char *name)
{
    if (real.open == raw_open)
        real_resolve();
    void *found = elf_find_later(name);
    if (found == NULL && real.dlsym != NULL)
        found = real.dlsym(RTLD_NEXT, name);
    return found != NULL ? found : (void *)lacks;
}

#define ALONE(name, type)                                                                          \
    static int early_##name(int fd, struct type *st)                                               \
    {                                                                                              \
        real.name = (__typeof__(&name))find_alone(#name);                                          \
        return real.name(fd, st);                                                                  \
    }
ALONE(fstat, stat)
ALONE(fstat64, stat64)

#define ENDS(name, resolve)                                                                        \
    static __attribute__((noreturn)) void early_##name(int status)                                 \
    {                                                                                              \
        resolve();                                                                                 \
        if (real.name != early_##name)                                                             \
            real.name(status);                                                                     \
        for (;;)                                                                                   \
            sys_call(SYS_exit_group, status, 0, 0, 0, 0, 0);                                       \
    }
ENDS(quick_exit, real_resolve)
ENDS(_exit, real_resolve_late)
ENDS(_Exit, real_resolve_late)

static void *early_dlopen(const char *path, int flags)
{
    real_resolve();
    return real.dlopen == early_dlopen ? NULL : real.dlopen(path, flags);
}

static int early_dlclose(void *handle)
{
    real_resolve();
    return real.dlclose == early_dlclose ? -1 : real.dlclose(handle);
}

union real real = {{
    .open = raw_open,
    .open64 = plain_open,
    .openat = raw_openat,
    .openat64 = plain_openat,
    .creat = raw_creat,
    .creat64 = plain_creat,
    .__open_2 = plain_open_2,
    .__open64_2 = plain_open_2,
    .__openat_2 = plain_openat_2,
    .__openat64_2 = plain_openat_2,
    .fopen = early_fopen,
    .fopen64 = early_fopen,
    .freopen = early_freopen,
    .freopen64 = early_freopen,
    .fdopen = early_fdopen,
    .dup = raw_dup,
    .dup2 = raw_dup2,
    .dup3 = raw_dup3,
    .fstat = early_fstat,
    .fstat64 = early_fstat64,
    .fcntl = raw_fcntl,
    .fcntl64 = plain_fcntl,
    .opendir = early_opendir,
    .fdopendir = early_fdopendir,
    .scandir = early_scandir,
    .scandir64 = early_scandir64,
    .scandirat = early_scandirat,
    .scandirat64 = early_scandirat64,
    .mkdir = early_mkdir,
    .unlink = early_unlink,
    .unlinkat = early_unlinkat,
    .rmdir = early_rmdir,
    .remove = early_remove,
    .rename = early_rename,
    .renameat = early_renameat,
    .renameat2 = early_renameat2,
    .posix_spawn = early_posix_spawn,
    .posix_spawnp = early_posix_spawnp,
    .system = early_system,
    .popen = early_popen,
    .fork = early_fork,
    .vfork = early_fork, /* a child with memory of its own */
    .execve = early_execve,
    .execv = early_execv,
    .execvp = early_execvp,
    .execvpe = early_execvpe,
    .fexecve = early_fexecve,
    .execveat = early_execveat,
    .flock = raw_flock,
    .lockf = early_lockf,
    .lockf64 = plain_lockf,
    .close = raw_close,
    .close_range = raw_close_range,
    .closefrom = raw_closefrom,
    .fclose = early_fclose,
    .fcloseall = early_fcloseall,
    .sendmsg = raw_sendmsg,
    .sendmmsg = raw_sendmmsg,
    ._Fork = early__Fork,
    .clone = early_clone,
    .daemon = early_daemon,
    .forkpty = early_forkpty,
    .unshare = early_unshare,
    .setns = early_setns,
    .chroot = early_chroot,
    .recvmsg = raw_recvmsg,
    .recvmmsg = raw_recvmmsg,
    .quick_exit = early_quick_exit,
    ._exit = early__exit,
    ._Exit = early__Exit,
    .prctl = raw_prctl,
    .syscall = raw_syscall,
    .dlopen = early_dlopen,
    .dlclose = early_dlclose,
    .fileno = early_fileno,
}};

static const char texts[] =
#define NAME(name) #name "\0"
    SETTLE_LIBC_SYMBOLS(NAME) SETTLE_CALLED_SYMBOLS(NAME);
#undef NAME

static const struct elf_name list[] = {
#include "preload/names.h" /* made by shim/build.mk */
};
_Static_assert(sizeof list / sizeof list[0] == REAL_COUNT, "of the same table");

static const struct elf_names names = {texts, list, REAL_COUNT};

static void ask_loader_for_missing(void **found)
{
    __typeof__(&dlsym) ask = real.dlsym;
    if (ask == NULL) /* this library may have been loaded behind all others */
        ask = (__typeof__(&dlsym))elf_find_anywhere("dlsym");
    if (ask == NULL)
        return;
    for (size_t i = 0; i < REAL_COUNT; i++)
        if (found[i] == NULL)
            found[i] = ask(RTLD_NEXT, texts + list[i].at);
    if (real.dlerror != NULL)
        real.dlerror(); /* a symbol that this libc lacks is not the program's error */
}

SYS_AT_START static void adopt(void *const *found)
{
    for (size_t i = 0; i < REAL_COUNT; i++)
        if (found[i] != NULL)
            real.functions[i] = found[i];
}

SYS_AT_START void real_resolve(void)
{
    void *found[REAL_COUNT] = {NULL};
    bool complete = elf_find_next(&names, found) == REAL_COUNT;
    adopt(found);
    if (!complete) {
        ask_loader_for_missing(found);
        adopt(found);
    }
}

static const char late_names[] =
#define NAME(name) #name "\0"
    SETTLE_LATE_SYMBOLS(NAME);
#undef NAME

void real_resolve_late(void)
{
    static atomic_bool done;
    const char *name = late_names;
    if (atomic_load(&done))
        return;
    if (real.open == raw_open)
        real_resolve(); /* where to look is known then */
    for (size_t i = REAL_COUNT; i < REAL_COUNT + REAL_LATE; i++, name += strlen(name) + 1) {
        void *found = elf_find_later(name);
        if (found == NULL && real.dlsym != NULL)
            found = real.dlsym(RTLD_NEXT, name);
        if (found != NULL)
            real.functions[i] = found;
    }
    atomic_store(&done, true);
}
