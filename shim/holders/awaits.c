#include "holders/awaits.h"

#include "base/identity.h"
#include "base/listing.h"
#include "base/scan.h"
#include "base/sys.h"
#include "holders/proc.h"

#include <fcntl.h>
#include <string.h>

static bool is_ancestor(int pid)
{
    const int generations = 64;
    struct proc_stat stat = {.parent = proc_self()};
    for (int i = 0; i < generations && stat.parent > 1; i++) {
        if (!proc_read_stat(&stat, stat.parent))
            return false;
        if (stat.parent == pid)
            return true;
    }
    return false;
}

/* --- where it sleeps --- */

enum sleeping { ELSEWHERE, IN_WAIT, IN_READ };

/* The kernel's functions, as wchan has them (proc(5)): since Linux 6.15, before, and before 5.5.
 * One that sleeps in epoll is an event loop, which may have other things to do. */
static const struct {
    const char *function;
    enum sleeping is;
} functions[] = {{"do_wait", IN_WAIT},
                 {"anon_pipe_read", IN_READ},
                 {"pipe_read", IN_READ},
                 {"pipe_wait", IN_READ},
                 {"poll_schedule_timeout", IN_READ}};

static enum sleeping sleeping_of(int pid)
{
    enum sleeping found = ELSEWHERE;
    struct scan lines;
    char path[64];
    struct text t = text_in(path, sizeof path);
    proc_path(&t, pid, "/wchan");
    if (scan_open(&lines, path) < 0)
        return ELSEWHERE;
    const char *line = scan_line(&lines); /* "0" where it is not told */
    for (size_t i = 0; line != NULL && i < sizeof functions / sizeof functions[0]; i++)
        if (strncmp(line, functions[i].function, strlen(functions[i].function)) == 0)
            found = functions[i].is;
    scan_close(&lines);
    return found;
}

/* --- the pipes between --- */

enum { PIPES_MOST = 16, NUMBERS_MOST = 256 };
struct pipes {
    unsigned count;
    struct identity of[PIPES_MOST];
};

/* A link in /proc/PID/fd has the permissions that the descriptor has, and leads to what it is open
 * on, also where that has no name. */
static bool is_pipe(int numbers, const char *name, mode_t end, struct identity *pipe)
{
    struct stat st;
    if (sys_fstatat(numbers, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK(st.st_mode) ||
        (st.st_mode & end) == 0 || sys_fstatat(numbers, name, &st, 0) < 0 || !S_ISFIFO(st.st_mode))
        return false;
    *pipe = identity_of(&st);
    return true;
}

static bool has(const struct pipes *pipes, struct identity pipe)
{
    for (unsigned i = 0; i < pipes->count; i++)
        if (identity_same(pipes->of[i], pipe))
            return true;
    return false;
}

/* The pipes of which a process has that end; among those of `of`, if that is given. */
static struct pipes pipes_of(int pid, mode_t end, const struct pipes *of)
{
    struct pipes found = {.count = 0};
    struct listing numbers;
    char path[64];
    struct text t = text_in(path, sizeof path);
    proc_path(&t, pid, "/fd");
    if (listing_open(&numbers, path) < 0)
        return found;
    const struct entry *entry;
    for (int i = 0; i < NUMBERS_MOST && found.count < PIPES_MOST; i++) {
        struct identity pipe;
        if ((entry = listing_next(&numbers)) == NULL)
            break;
        if (is_pipe(numbers.fd, entry->name, end, &pipe) && (of == NULL || has(of, pipe)))
            found.of[found.count++] = pipe;
    }
    listing_close(&numbers);
    return found;
}

/* Whoever has both ends waits for nobody by it. */
static bool reads_from_us(int pid)
{
    const struct pipes ours = pipes_of(proc_self(), S_IWUSR, NULL);
    if (ours.count == 0)
        return false;
    const struct pipes read = pipes_of(pid, S_IRUSR, &ours);
    const struct pipes written = read.count == 0 ? read : pipes_of(pid, S_IWUSR, &read);
    return read.count > written.count;
}

bool awaits_us(int pid)
{
    struct proc_stat stat;
    if (!is_ancestor(pid) || !proc_read_stat(&stat, pid) || stat.threads != 1)
        return false;
    const enum sleeping sleeping = sleeping_of(pid);
    return sleeping == IN_WAIT || (sleeping == IN_READ && reads_from_us(pid));
}
