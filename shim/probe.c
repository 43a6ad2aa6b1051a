#include "probe.h"

#include "sys.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

struct probe probe_of(const char *path, struct identity expected)
{
    return (struct probe){.path = path, .expected = expected, .fd = -1};
}

/* Where locks are kept by another host, flock is emulated as a POSIX lock or forwarded, and a trial
 * lock would be taken over there. Numbers from statfs(2). */
static bool is_remote(int fd)
{
    static const uint32_t magics[] = {
        0x6969,     /* NFS */
        0x517b,     /* SMB */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
        0x65735546, /* FUSE: GlusterFS, sshfs and others */
        0x00c36400, /* Ceph */
        0x01021997, /* 9P */
        0x5346414f, /* AFS */
        0x0bd00bd0, /* Lustre */
        0x01161970, /* GFS2 */
        0x7461636f, /* OCFS2 */
    };
    struct statfs fs;
    if (sys_fstatfs(fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++)
        if ((uint32_t)fs.f_type == magics[i])
            return true;
    return false;
}

static enum verdict failed(struct probe *p, int error)
{
    if (error == ENOENT)
        return VERDICT_GONE;
    p->error = error;
    return VERDICT_UNEXAMINED;
}

static bool same_file(const struct probe *p, const struct stat *st)
{
    return p->expected.ino == 0 || (p->expected.dev == st->st_dev && p->expected.ino == st->st_ino);
}

static enum verdict open_file(struct probe *p)
{
    struct stat st;
    /* Looked at before it is opened: to open a FIFO or a device has effects of its own. */
    int result = sys_stat(p->path, &st);
    if (result < 0)
        return failed(p, -result);
    if (!same_file(p, &st))
        return VERDICT_GONE;
    if (!S_ISREG(st.st_mode))
        return failed(p, EINVAL);
    p->expected = (struct identity){st.st_dev, st.st_ino};

    /* Without O_NONBLOCK an open of a file with a lease on it blocks for up to lease-break-time, 45
     * s. */
    int fd = sys_openat(AT_FDCWD, p->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (fd == -EWOULDBLOCK) {
        p->holder = (struct holder){.hold = HOLD_LEASE};
        return VERDICT_HELD;
    }
    if (fd < 0)
        return failed(p, -fd);
    p->fd = fd;
    p->remote = is_remote(fd);
    return VERDICT_SETTLED;
}

/* F_GETLK asks for a write lock without taking it, and needs no write access. The answer names one
 * holder; an OFD lock has pid -1, one of another pid namespace 0 (fcntl(2) and measured). */
static enum verdict ask_record_locks(struct probe *p)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    int result = sys_fcntl(p->fd, F_GETLK, (long)&lock);
    if (result < 0)
        return failed(p, -result);
    if (lock.l_type == F_UNLCK)
        return VERDICT_SETTLED;
    p->holder = (struct holder){
        .hold = lock.l_pid == -1         ? HOLD_OFD
                : lock.l_type == F_RDLCK ? HOLD_POSIX_READ
                                         : HOLD_POSIX_WRITE,
        .pid = lock.l_pid > 0 ? lock.l_pid : 0,
    };
    return VERDICT_HELD;
}

static enum verdict ask_flock(struct probe *p)
{
    int result = sys_flock(p->fd, LOCK_EX | LOCK_NB);
    if (result == 0)
        sys_flock(p->fd, LOCK_UN);
    if (result != -EWOULDBLOCK)
        return VERDICT_SETTLED; /* granted, or a file system without flock: nobody can hold one */
    p->holder = (struct holder){.hold = HOLD_FLOCK};
    return VERDICT_HELD;
}

enum verdict probe_ask(struct probe *p)
{
    p->holder = (struct holder){.hold = HOLD_NONE};
    if (p->fd < 0) {
        enum verdict opened = open_file(p);
        if (opened != VERDICT_SETTLED)
            return opened;
    }
    struct stat st;
    int result = sys_fstat(p->fd, &st);
    if (result < 0)
        return failed(p, -result);
    if (st.st_nlink == 0 || !same_file(p, &st))
        return VERDICT_GONE;

    enum verdict verdict = ask_record_locks(p);
    if (verdict == VERDICT_SETTLED && !p->remote)
        verdict = ask_flock(p);
    return verdict;
}

void probe_end(struct probe *p)
{
    if (p->fd >= 0)
        sys_close(p->fd);
    p->fd = -1;
}

const char *hold_name(enum hold hold)
{
    static const char *const names[] = {"nothing",  "POSIX read lock", "POSIX write lock",
                                        "OFD lock", "flock",           "lease"};
    return names[hold];
}

/* --- who is it --- */

void probe_describe_holder(struct text *t, const struct holder *holder)
{
    text_str(t, hold_name(holder->hold));
    if (holder->pid == 0) {
        text_str(t, " of a process that cannot be named from here");
        return;
    }
    text_str(t, " of pid ");
    text_int(t, holder->pid);
    text_str(t, " (");
    text_path(t, holder->command[0] != '\0' ? holder->command : "command unknown");
    text_str(t, holder->pid == sys_getpid() ? ", this process)" : ")");
}

static void read_command(struct holder *holder)
{
    char path[64];
    struct text t = text_in(path, sizeof path);
    text_str(&t, "/proc/");
    text_int(&t, holder->pid);
    text_str(&t, "/comm");
    int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    long length = sys_read(fd, holder->command, sizeof holder->command - 1);
    sys_close(fd);
    if (length > 0 && holder->command[length - 1] == '\n')
        length--;
    holder->command[length > 0 ? length : 0] = '\0';
}

/* The next blank-separated field of a line; NULL at its end. Cuts the line up. */
static char *next_field(char **line)
{
    char *at = *line + strspn(*line, " ");
    if (*at == '\0')
        return NULL;
    char *end = at + strcspn(at, " ");
    *line = *end == '\0' ? end : end + 1;
    *end = '\0';
    return at;
}

/* 0 for what is no pid. */
static int pid_of(const char *digits)
{
    const int most = 1 << 22; /* proc(5), /proc/sys/kernel/pid_max */
    int pid = 0;
    for (; *digits >= '0' && *digits <= '9'; digits++) {
        pid = pid * 10 + (*digits - '0');
        if (pid > most)
            return 0;
    }
    return pid;
}

/* A line of /proc/locks (proc(5)): "1: FLOCK ADVISORY WRITE 1234 fd:01:5678 0 EOF"; a "->" after
 * the number marks one who waits, not one who holds. Device numbers are hexadecimal, the inode
 * decimal. */
static void match_lock_line(struct probe *p, char *line, const char *file, const char *kind)
{
    char *index = next_field(&line);
    char *type = next_field(&line);
    next_field(&line);
    next_field(&line);
    char *pid = next_field(&line);
    char *where = next_field(&line);
    if (index == NULL || where == NULL || !str_equal(type, kind) || !str_equal(where, file))
        return;
    if (p->holder.pid == 0)
        p->holder.pid = pid_of(pid);
}

static void text_hex2(struct text *t, unsigned value)
{
    static const char digits[] = "0123456789abcdef";
    char hex[9];
    int at = 8;
    hex[8] = '\0';
    do {
        hex[--at] = digits[value & 15];
        value >>= 4;
    } while (value != 0);
    if (at == 7)
        hex[--at] = '0';
    text_str(t, hex + at);
}

static void search_proc_locks(struct probe *p, const char *kind)
{
    char file[64];
    struct text t = text_in(file, sizeof file);
    text_hex2(&t, major((dev_t)p->expected.dev));
    text_str(&t, ":");
    text_hex2(&t, minor((dev_t)p->expected.dev));
    text_str(&t, ":");
    text_int(&t, (long)p->expected.ino);

    int fd = sys_openat(AT_FDCWD, "/proc/locks", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    char buffer[4096];
    size_t kept = 0;
    long got;
    while ((got = sys_read(fd, buffer + kept, sizeof buffer - 1 - kept)) > 0) {
        kept += (size_t)got;
        buffer[kept] = '\0';
        char *line = buffer;
        char *end;
        while ((end = strchr(line, '\n')) != NULL) {
            *end = '\0';
            match_lock_line(p, line, file, kind);
            line = end + 1;
        }
        kept = (size_t)(buffer + kept - line);
        if (kept == sizeof buffer - 1)
            kept = 0; /* no line is that long */
        memmove(buffer, line, kept);
    }
    sys_close(fd);
}

void probe_name_holder(struct probe *p)
{
    if (p->holder.pid == 0 && p->holder.hold == HOLD_FLOCK)
        search_proc_locks(p, "FLOCK");
    if (p->holder.pid == 0 && p->holder.hold == HOLD_LEASE)
        search_proc_locks(p, "LEASE");
    if (p->holder.pid > 0)
        read_command(&p->holder);
}
