#include "holders/proc.h"

#include "base/listing.h"
#include "base/scan.h"
#include "base/status.h"
#include "base/sys.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static unsigned long take_number(const char **at, unsigned base)
{
    unsigned long value = 0;
    for (;; (*at)++) {
        char c = **at;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}

static unsigned long number_of(const char *digits, unsigned base)
{
    return take_number(&digits, base);
}

/* 0 for what is no pid. */
static int pid_of(const char *digits)
{
    const long most = 1 << 22; /* proc(5), /proc/sys/kernel/pid_max */
    long pid = text_number(digits);
    return pid <= most ? (int)pid : 0;
}

/* "fd:01", and in /proc/locks ":5678" behind it. */
static const char *take_device(struct proc_file *file, const char *at, unsigned base)
{
    file->major = (unsigned)take_number(&at, base);
    at += *at == ':';
    file->minor = (unsigned)take_number(&at, base);
    return at + (*at == ':');
}

/* --- locks --- */

static enum hold hold_of(const char *type, bool exclusive)
{
    if (str_equal(type, "POSIX"))
        return exclusive ? HOLD_POSIX_WRITE : HOLD_POSIX_READ;
    if (str_equal(type, "OFDLCK"))
        return HOLD_OFD;
    if (str_equal(type, "FLOCK"))
        return HOLD_FLOCK;
    if (str_equal(type, "LEASE") || str_equal(type, "DELEG"))
        return HOLD_LEASE;
    return HOLD_NONE;
}

/* "1: FLOCK ADVISORY WRITE 1234 fd:01:5678 0 EOF": the device is hexadecimal, the inode decimal; a
 * "->" behind the number marks one who waits. The pid of an OFD lock is -1, which is none, and that
 * of a process that cannot be seen 0. A lease that is being broken tells what it is to become. */
bool proc_read_lock(struct proc_lock *lock, char *line)
{
    scan_field(&line);
    const char *type = scan_field(&line);
    const char *state = scan_field(&line);
    const char *mode = scan_field(&line);
    const char *pid = scan_field(&line);
    const char *where = scan_field(&line);
    const char *start = scan_field(&line);
    const char *end = scan_field(&line);
    if (end == NULL)
        return false;
    bool exclusive = !str_equal(mode, "READ") || str_equal(state, "BREAKING");
    lock->holder = (struct holder){
        .hold = hold_of(type, exclusive),
        .exclusive = exclusive,
        .pid = pid_of(pid),
        .descriptor = -1,
        .ending = "",
        .start = number_of(start, 10),
        .end = str_equal(end, "EOF") ? HOLDER_TO_END : number_of(end, 10),
    };
    lock->file.ino = number_of(take_device(&lock->file, where, 16), 10);
    return lock->holder.hold != HOLD_NONE;
}

int proc_read_flags(const char *octal)
{
    return (int)number_of(octal, 8);
}

/* --- mappings --- */

/* "7f2c1a000000-7f2c1a008000 rw-s 00000000 fe:00 1234 /data/x" */
bool proc_read_mapping(struct proc_mapping *mapping, char *line)
{
    mapping->range = scan_field(&line);
    mapping->permissions = scan_field(&line);
    scan_field(&line);
    const char *device = scan_field(&line);
    const char *ino = scan_field(&line);
    if (ino == NULL || ino[0] == '0' || strchr(mapping->range, '-') == NULL ||
        strlen(mapping->permissions) < 4)
        return false;
    take_device(&mapping->file, device, 16);
    mapping->file.ino = number_of(ino, 10);
    mapping->path = line + strspn(line, " ");
    return true;
}

/* The entry in map_files has the mode of the open file; without that, whether the mapping itself
 * can write has to do. The range is "00400000-00452000", in map_files without the zeros in front.
 */
bool proc_mapping_writes(const struct proc_mapping *mapping, const char *process)
{
    char path[128];
    struct sys_statx st;
    struct text t = text_in(path, sizeof path);
    const char *first = mapping->range + strspn(mapping->range, "0");
    const char *second = strchr(mapping->range, '-') + 1;
    text_str(&t, process);
    text_str(&t, "/map_files/");
    text_bytes(&t, first, (size_t)(second - first));
    text_str(&t, second + strspn(second, "0"));
    if (sys_statx_cached(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &st) == 0)
        return (st.mode & S_IWUSR) != 0;
    return mapping->permissions[1] == 'w' && mapping->permissions[3] == 's';
}

/* By its path, as the process sees it: to follow a link in map_files takes a capability. */
bool proc_mapping_is_of(const struct proc_mapping *mapping, const char *process,
                        struct identity identity)
{
    char path[PATH_MAX];
    struct sys_statx st;
    struct text t = text_in(path, sizeof path);
    text_str(&t, process);
    text_str(&t, "/root");
    text_str(&t, mapping->path);
    if (sys_statx_cached(AT_FDCWD, path, 0, &st) < 0)
        return true;
    return identity_same(identity,
                         (struct identity){sys_device(st.dev_major, st.dev_minor), st.ino});
}

/* "36 35 98:0 /mnt1 ..." (mountinfo) */
void proc_find_superblock(struct proc_file *file, uint64_t mount)
{
    struct scan lines;
    char *line;
    if (scan_open(&lines, "/proc/self/mountinfo") < 0)
        return;
    while ((line = scan_line(&lines)) != NULL) {
        const char *id = scan_field(&line);
        scan_field(&line);
        const char *device = scan_field(&line);
        if (device == NULL || number_of(id, 10) != mount)
            continue;
        take_device(file, device, 10);
        break;
    }
    scan_close(&lines);
}

/* --- processes --- */

void proc_path(struct text *t, int pid, const char *rest)
{
    text_str(t, "/proc/");
    text_int(t, pid);
    text_str(t, rest);
}

bool proc_exists(int pid)
{
    char path[32];
    struct stat st;
    struct text t = text_in(path, sizeof path);
    proc_path(&t, pid, "");
    return sys_stat(path, &st) == 0;
}

/* "42 (a name) S 1 ...": the name may have blanks and parentheses in it, what follows has none. */
bool proc_read_stat(struct proc_stat *stat, int pid)
{
    enum { STATE = 1, PARENT = 2, THREADS = 18, START = 20 }; /* fields behind the name */
    struct scan lines;
    char path[64];
    struct text t = text_in(path, sizeof path);
    proc_path(&t, pid, "/stat");
    if (scan_open(&lines, path) < 0)
        return false;
    char *line = scan_line(&lines);
    char *rest = line == NULL ? NULL : strrchr(line, ')');
    *stat = (struct proc_stat){.start = 0};
    if (rest != NULL)
        rest++;
    for (int i = 1; rest != NULL && i <= START; i++) {
        const char *field = scan_field(&rest);
        if (field == NULL)
            break;
        if (i == STATE)
            stat->state = field[0];
        else if (i == PARENT)
            stat->parent = (int)text_number(field);
        else if (i == THREADS)
            stat->threads = (unsigned)text_number(field);
        else if (i == START)
            stat->start = number_of(field, 10);
    }
    scan_close(&lines);
    return stat->start != 0;
}

void proc_read_command(int pid, char *out, size_t size)
{
    struct scan lines;
    char path[64];
    struct text t = text_in(path, sizeof path);
    proc_path(&t, pid, "/comm");
    out[0] = '\0';
    if (scan_open(&lines, path) < 0)
        return;
    const char *line = scan_line(&lines);
    t = text_in(out, size);
    text_str(&t, line != NULL ? line : "");
    scan_close(&lines);
}

/* "NSpid: 4242 7": the pid in each namespace, from that of /proc inwards. */
int proc_inner_pid(int pid)
{
    static const char *const name = "NSpid:";
    char path[64];
    long inner;
    struct text t = text_in(path, sizeof path);
    proc_path(&t, pid, "/status");
    return status_read(path, &name, &inner, 1) && inner > 0 && inner != pid ? (int)inner : 0;
}

static void read_link(const char *path, char *out, size_t size)
{
    long length = sys_readlink(path, out, size - 1);
    out[length > 0 ? length : 0] = '\0';
}

int proc_self(void)
{
    char link[16];
    read_link("/proc/self", link, sizeof link);
    return (int)text_number(link);
}

/* The inode number of the first pid namespace is fixed (PROC_PID_INIT_INO in the kernel's
 * proc_ns.h). */
bool proc_shows_all(void)
{
    char link[32];
    read_link("/proc/self/ns/pid", link, sizeof link);
    return str_equal(link, "pid:[4026531836]");
}

bool proc_may_look_behind(int directory, const char *name)
{
    char link[1];
    return sys_call(SYS_readlinkat, directory, (long)name, (long)link, sizeof link, 0, 0) >= 0;
}

bool proc_has_inode(int pid, uint64_t ino)
{
    struct listing listing;
    char path[64];
    struct text t = text_in(path, sizeof path);
    proc_path(&t, pid, "/fd");
    if (listing_open(&listing, path) < 0)
        return true;
    const struct entry *entry;
    bool found = false;
    while (!found && (entry = listing_next(&listing)) != NULL) {
        struct sys_statx st;
        int error = sys_statx_cached(listing.fd, entry->name, 0, &st);
        found = error == -EACCES || (error == 0 && st.ino == ino);
    }
    listing_close(&listing);
    return found;
}
