/* What the unit tests share: a directory of the test's own, and processes that hold locks.
 *
 * Criterion runs each test in a process of its own, so a test may change its signals, descriptors
 * and limits. In a forked child no assertion can be made: it answers with its exit status.
 */
#ifndef SETTLE_UNIT_H
#define SETTLE_UNIT_H

#include "base/clock.h"
#include "base/sys.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MS = 1000000 };

/* --- files --- */

static char unit_dir[64];

static inline void dir_begin(void)
{
    strcpy(unit_dir, "/tmp/settle-unit-XXXXXX");
    cr_assert_not_null(mkdtemp(unit_dir));
}

static inline void dir_end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", unit_dir);
    cr_expect_eq(system(command), 0);
}

/* A path in the test's directory; valid until the fourth next call. */
static inline const char *in_dir(const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", unit_dir, name);
    return path;
}

static inline void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t length = strlen(text);
    cr_assert(fd >= 0 && write(fd, text, length) == (ssize_t)length, "cannot write %s", path);
    close(fd);
}

/* A file in the test's directory with something in it; in_dir's path of it. */
static inline const char *a_file(const char *name)
{
    const char *path = in_dir(name);
    write_file(path, "content");
    return path;
}

/* --- processes --- */

/* Runs body in a forked child; its result (below 128), or 128 + the signal that ended it. */
static inline int in_child(int (*body)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nor does it outlive a test that timed out */
        _exit(body());
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct vfork_question {
    bool (*ask)(void);
    bool answer;
};

static inline int in_vfork_child_ask(void *argument)
{
    struct vfork_question *question = argument;
    question->answer = question->ask();
    _exit(0);
}

/* What a child answers that shares the memory: clone with these flags is what vfork and posix_spawn
 * do. */
static inline bool in_vfork_child(bool (*ask)(void))
{
    static char stack[65536] __attribute__((aligned(16)));
    struct vfork_question question = {ask, true};
    pid_t pid = clone(in_vfork_child_ask, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD,
                      &question);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    return question.answer;
}

enum { NOBODY = 65534 }; /* a user without rights */

struct capabilities { /* capset(2) */
    struct {
        uint32_t version;
        int pid;
    } header;
    struct {
        uint32_t effective, permitted, inheritable;
    } data[2];
};

static inline void drop_capability(unsigned capability)
{
    struct capabilities c = {.header = {0x20080522, 0}};
    syscall(SYS_capget, &c.header, c.data);
    c.data[capability / 32].effective &= ~(1u << capability % 32);
    syscall(SYS_capset, &c.header, c.data);
}

enum keeps {
    KEEPS_POSIX_READ,
    KEEPS_POSIX_WRITE,
    KEEPS_OFD,
    KEEPS_FLOCK_SHARED,
    KEEPS_FLOCK,
    KEEPS_LEASE,
    KEEPS_READ_LEASE,
    KEEPS_OPEN,
    KEEPS_OPEN_FOR_WRITING,
    KEEPS_MAPPED,             /* without a descriptor, */
    KEEPS_MAPPED_FOR_WRITING, /* by one that could write */
};

/* Another process that holds a lock on a file. Its command is "keeper". */
struct keeper {
    pid_t pid;
    int told;                 /* a byte into it makes it let go */
    _Atomic uint64_t *let_go; /* clock_now just before it did; 0: not yet */
};

static inline int keeper_open(const char *path, enum keeps what)
{
    bool reads = what == KEEPS_READ_LEASE || what == KEEPS_OPEN || what == KEEPS_MAPPED;
    return open(path, (reads ? O_RDONLY : O_RDWR) | O_CLOEXEC);
}

static inline int keeper_map(int fd)
{
    void *mapped = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
    return mapped == MAP_FAILED ? -1 : close(fd);
}

static inline int keeper_lock(int fd, enum keeps what)
{
    /* where SQLite's readers have their lock: far behind the end of the file */
    struct flock lock = {.l_type = what == KEEPS_POSIX_READ ? F_RDLCK : F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = 0x40000002,
                         .l_len = 510};
    switch (what) {
    case KEEPS_POSIX_READ:
    case KEEPS_POSIX_WRITE:
        return fcntl(fd, F_SETLK, &lock);
    case KEEPS_OFD:
        return fcntl(fd, F_OFD_SETLK, &lock);
    case KEEPS_FLOCK_SHARED:
        return flock(fd, LOCK_SH | LOCK_NB);
    case KEEPS_FLOCK:
        return flock(fd, LOCK_EX | LOCK_NB);
    case KEEPS_LEASE:
    case KEEPS_READ_LEASE:
        signal(SIGIO, SIG_IGN); /* the request to give the lease back */
        return fcntl(fd, F_SETLEASE, what == KEEPS_LEASE ? F_WRLCK : F_RDLCK);
    case KEEPS_OPEN:
    case KEEPS_OPEN_FOR_WRITING:
        return 0;
    case KEEPS_MAPPED:
    case KEEPS_MAPPED_FOR_WRITING:
        return keeper_map(fd);
    }
    return -1;
}

static inline void keeper_main(struct keeper *k, enum keeps what, const char *path, int ms,
                               int ready, int told)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "keeper");
    int fd = keeper_open(path, what);
    struct pollfd entry = {.fd = told, .events = POLLIN};
    if (fd < 0 || keeper_lock(fd, what) < 0 || write(ready, "", 1) != 1)
        _exit(1);
    poll(&entry, 1, ms);
    atomic_store(k->let_go, clock_now());
    _exit(0);
}

/* Starts one; it has the lock when this returns. ms: lets go after that time; -1: when it is told.
 */
static inline struct keeper keep(enum keeps what, const char *path, int ms)
{
    struct keeper k;
    void *shared =
        mmap(NULL, sizeof *k.let_go, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ready[2];
    int told[2];
    char byte;
    cr_assert(shared != MAP_FAILED && pipe2(ready, O_CLOEXEC) == 0 && pipe2(told, O_CLOEXEC) == 0);
    k.told = told[1];
    k.let_go = shared;
    k.pid = fork();
    if (k.pid == 0)
        keeper_main(&k, what, path, ms, ready[1], told[0]);
    close(ready[1]);
    close(told[0]);
    cr_assert_eq(read(ready[0], &byte, 1), 1, "the keeper got no lock");
    close(ready[0]);
    return k;
}

/* Makes it let go, and waits for its end. */
static inline void let_go(struct keeper *k)
{
    int status = 0;
    cr_assert_eq(write(k->told, "", 1), 1);
    cr_assert_eq(waitpid(k->pid, &status, 0), k->pid);
    close(k->told);
}

#endif
