/* Children, and programs that take this one's place. vfork is in tail_calls.S: its caller goes on
 * in the child, on the same stack. */
#include "helper/helper.h"
#include "preload/hooks.h"
#include "preload/real.h"
#include "preload/replaced.h"
#include "track/track.h"
#include "track/use.h"

#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#define SPAWN(name)                                                                                \
    EXPORT int name(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,       \
                    const posix_spawnattr_t *attributes, char *const *arguments,                   \
                    char *const *environment)                                                      \
    {                                                                                              \
        use_starting(arguments);                                                                   \
        replaced_check(path, environment);                                                         \
        track_spawned();                                                                           \
        return real.name(pid, path, actions, attributes, arguments, environment);                  \
    }
SPAWN(posix_spawn)
SPAWN(posix_spawnp)

EXPORT int system(const char *command)
{
    use_starting_shell(command);
    track_spawned();
    return real.system(command);
}

EXPORT FILE *popen(const char *command, const char *mode)
{
    use_starting_shell(command);
    track_spawned();
    return real.popen(command, mode);
}

static void await_ended(void)
{
    if (track_is_on())
        helper_await_ended();
}

/* The child first closes what its parent has closed already (track/keep.h). A process of one thread
 * is one also right after a wait: Python warns of a fork that it thinks has others. */
#define FORK(name, parameters, arguments)                                                          \
    EXPORT int name parameters                                                                     \
    {                                                                                              \
        use_starting_unknown();                                                                    \
        await_ended();                                                                             \
        replaced_before_fork();                                                                    \
        int parent = track_before_fork();                                                          \
        int result = real.name arguments;                                                          \
        if (result == 0)                                                                           \
            track_forked(parent);                                                                  \
        return result;                                                                             \
    }
FORK(fork, (void), ())
FORK(_Fork, (void), ())
FORK(forkpty,
     (int *terminal, char *name, const struct termios *termios, const struct winsize *size),
     (terminal, name, termios, size))
FORK(daemon, (int nochdir, int noclose), (nochdir, noclose)) /* whose parent does not come back */

/* The child begins on a stack of its own. */
EXPORT int clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
    va_list list;
    void *more[3];
    va_start(list, argument);
    for (int i = 0; i < 3; i++)
        more[i] = va_arg(list, void *);
    va_end(list);
    track_shared();
    return real.clone(function, stack, flags, argument, more[0], more[1], more[2]);
}

void settle_before_vfork(void);
void settle_before_vfork(void)
{
    real_resolve_late();
    use_starting_unknown();
    track_spawned();
}

/* --- other places; which the kernel refuses a process of several threads (CLONE_NEWUSER) --- */

EXPORT int unshare(int flags)
{
    track_moves();
    await_ended();
    return real.unshare(flags);
}

EXPORT int setns(int fd, int type)
{
    track_moves();
    await_ended();
    return real.setns(fd, type);
}

EXPORT int chroot(const char *path)
{
    track_moves();
    return real.chroot(path);
}

/* --- exec --- */

static void before_exec(const char *path, char *const *arguments, char *const *environment)
{
    use_exec(arguments);
    replaced_check(path, environment);
}

EXPORT int execve(const char *path, char *const *arguments, char *const *environment)
{
    before_exec(path, arguments, environment);
    return real.execve(path, arguments, environment);
}

EXPORT int execv(const char *path, char *const *arguments)
{
    before_exec(path, arguments, environ);
    return real.execv(path, arguments);
}

EXPORT int execvp(const char *file, char *const *arguments)
{
    before_exec(file, arguments, environ);
    return real.execvp(file, arguments);
}

EXPORT int execvpe(const char *file, char *const *arguments, char *const *environment)
{
    before_exec(file, arguments, environment);
    return real.execvpe(file, arguments, environment);
}

EXPORT int fexecve(int fd, char *const *arguments, char *const *environment)
{
    before_exec("a descriptor", arguments, environment);
    return real.fexecve(fd, arguments, environment);
}

EXPORT int execveat(int dir, const char *path, char *const *arguments, char *const *environment,
                    int flags)
{
    before_exec(path, arguments, environment);
    return real.execveat(dir, path, arguments, environment, flags);
}

/* The arguments of a list that ends with NULL. */
static size_t count(const char *first, va_list list)
{
    size_t number = 0;
    for (const char *at = first; at != NULL; at = va_arg(list, const char *))
        number++;
    return number;
}

/* With the NULL; `list` stands behind it then. */
static void fill(const char **arguments, const char *first, va_list *list)
{
    for (const char *at = first; (*arguments++ = at) != NULL;)
        at = va_arg(*list, const char *);
}

/* As an array, on the stack as libc has it. By other names, as the compiler knows of these that
 * their arguments are never NULL. */
#define EXECL(name, environment_of, call)                                                          \
    EXPORT int settle_##name(const char *path, const char *first, ...) __asm__(#name);             \
    int settle_##name(const char *path, const char *first, ...)                                    \
    {                                                                                              \
        va_list list;                                                                              \
        va_start(list, first);                                                                     \
        const char **array = __builtin_alloca((count(first, list) + 1) * sizeof *array);           \
        va_end(list);                                                                              \
        va_start(list, first);                                                                     \
        fill(array, first, &list);                                                                 \
        char *const *arguments = (char *const *)(uintptr_t)array;                                  \
        char *const *environment = environment_of;                                                 \
        va_end(list);                                                                              \
        before_exec(path, arguments, environment);                                                 \
        return call;                                                                               \
    }
EXECL(execl, environ, real.execv(path, arguments))
EXECL(execlp, environ, real.execvp(path, arguments))
EXECL(execle, va_arg(list, char *const *), real.execve(path, arguments, environment))
