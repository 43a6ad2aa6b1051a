#include "holders.h"

#include "identity.h"
#include "profile.h"
#include "reader.h"
#include "sys.h"

#include <errno.h>
#include <string.h>

const char *hold_name(enum hold hold)
{
    static const char *const names[] = {
        "nothing", "POSIX read lock", "POSIX write lock", "OFD lock",
        "flock",   "lease",           "open for writing", "open",
        "mapped"};
    return names[hold];
}

static bool is_record_lock(enum hold hold)
{
    return hold == HOLD_POSIX_READ || hold == HOLD_POSIX_WRITE || hold == HOLD_OFD;
}

static bool is_lock(enum hold hold)
{
    return is_record_lock(hold) || hold == HOLD_FLOCK || hold == HOLD_LEASE;
}

/* --- SQLite's names --- */

/* A row a lock: the bytes that it is. Of the database: https://www.sqlite.org/lockingv3.html and
 * PENDING_BYTE in the source; of the -shm: https://www.sqlite.org/walformat.html; byte 128 is what
 * every connection holds for as long as it lives. */
static const struct sqlite_lock {
    const char *name;
    bool wal_index;
    bool exclusive;
    uint64_t first, last;
} sqlite_locks[] = {
    {"EXCLUSIVE", false, true, 0x40000002, 0x400001ff},
    {"PENDING", false, true, 0x40000000, 0x40000000},
    {"RESERVED", false, true, 0x40000001, 0x40000001},
    {"SHARED", false, false, 0x40000002, 0x400001ff},
    {"WAL write", true, true, 120, 120},
    {"WAL checkpoint", true, true, 121, 121},
    {"WAL recover", true, true, 122, 122},
    {"WAL read", true, false, 123, 127},
    {"WAL connection", true, false, 128, 128},
};
enum { SQLITE_LOCKS = sizeof sqlite_locks / sizeof sqlite_locks[0] };

static const uint64_t sqlite_first[] = {0x40000000, 120}; /* by wal_index */
static const uint64_t sqlite_last[] = {0x400001ff, 128};

/* The kernel makes one lock of neighbouring ones of the same kind, so that one range can be
 * several. In the database, where each implies the weaker, the strongest counts. */
unsigned holder_sqlite_locks(bool wal_index, bool exclusive, uint64_t start, uint64_t end)
{
    unsigned found = 0;
    if (start < sqlite_first[wal_index] || end > sqlite_last[wal_index])
        return 0;
    for (int i = 0; i < SQLITE_LOCKS; i++) {
        const struct sqlite_lock *lock = &sqlite_locks[i];
        if (lock->wal_index == wal_index && (exclusive || !lock->exclusive) &&
            start <= lock->last && end >= lock->first && (wal_index || found == 0))
            found |= 1u << i;
    }
    return found;
}

void holder_say_sqlite(struct text *t, const struct holder *h)
{
    const char *separator = "";
    for (int i = 0; i < SQLITE_LOCKS; i++) {
        if ((h->sqlite >> i & 1u) == 0)
            continue;
        text_str(t, separator);
        text_str(t, sqlite_locks[i].name);
        separator = "+";
    }
}

/* --- the search --- */

enum { FILES_MAX = 4, FIRST_MAX = 64 };

/* A file whose holders are looked for. */
struct file {
    struct identity identity;
    const char *ending;
    bool wal_index;
    /* The device as /proc/locks and /proc/PID/maps have it, which is the superblock's: on btrfs and
     * overlayfs not the one that stat gives. */
    unsigned major, minor;
};

struct search {
    const struct holders_question *question;
    struct holders *found;
    struct file files[FILES_MAX];
    unsigned file_count;
    int self; /* this process, as /proc counts */
    /* Processes that are looked into before all others, and so not again. */
    struct {
        int pid;
        bool refused;
    } first[FIRST_MAX];
    unsigned first_count;
    unsigned untold; /* locks of /proc/locks that found no room */
    bool saw_init;
};

/* A lock as a line of /proc/locks or fdinfo tells it. */
struct told {
    struct holder holder;
    unsigned major, minor;
    uint64_t ino;
};

static unsigned long number(const char **at, unsigned base)
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
    return number(&digits, base);
}

static void proc_path(struct text *t, int pid, const char *name)
{
    text_str(t, "/proc/");
    text_int(t, pid);
    text_str(t, name);
}

/* Whether a hold keeps the file from the level. A lease for reading stands in the way of nothing
 * but an open for writing. */
static bool matters(const struct holder *h, enum until until)
{
    if (h->hold == HOLD_LEASE)
        return h->exclusive || until == UNTIL_CLOSED;
    return is_lock(h->hold) || until == UNTIL_CLOSED || (until == UNTIL_UNWRITTEN && h->writes);
}

/* False, having counted it, if there is no room. */
static bool add(struct holders *found, const struct holder *h)
{
    if (found->count == found->room) {
        found->unlisted++;
        return false;
    }
    found->list[found->count++] = *h;
    return true;
}

/* --- which files --- */

/* The device of the mount's superblock: "36 35 98:0 /mnt1 ..." (proc(5), mountinfo). */
static void find_superblock(struct file *file, uint64_t mount)
{
    struct lines lines;
    char *line;
    file->major = sys_major(file->identity.dev);
    file->minor = sys_minor(file->identity.dev);
    if (lines_open(&lines, "/proc/self/mountinfo") < 0)
        return;
    while ((line = lines_next(&lines)) != NULL) {
        char *id = next_field(&line);
        next_field(&line);
        const char *device = next_field(&line);
        if (device == NULL || number_of(id, 10) != mount)
            continue;
        file->major = (unsigned)number(&device, 10);
        device += *device == ':';
        file->minor = (unsigned)number(&device, 10);
        break;
    }
    lines_close(&lines);
}

static void add_file(struct search *s, const char *ending)
{
    char path[PATH_MAX];
    struct sys_statx st = {.mask = 0};
    struct text t = text_in(path, sizeof path);
    text_str(&t, s->question->path);
    text_str(&t, ending);
    if (t.length + 1 == t.size || sys_statx_cached(AT_FDCWD, path, 0, &st) < 0)
        return;
    struct file *file = &s->files[s->file_count++];
    *file = (struct file){
        .identity = {sys_device(st.dev_major, st.dev_minor), st.ino},
        .ending = ending,
        .wal_index = str_ends_with(path, "-shm"),
    };
    if (s->file_count > 1 && s->files[0].identity.dev == file->identity.dev) {
        file->major = s->files[0].major;
        file->minor = s->files[0].minor;
    } else {
        find_superblock(file, st.mnt_id);
    }
}

static const struct file *file_of(const struct search *s, struct identity identity)
{
    for (unsigned i = 0; i < s->file_count; i++)
        if (identity_same(s->files[i].identity, identity))
            return &s->files[i];
    return NULL;
}

static const struct file *file_on(const struct search *s, unsigned major, unsigned minor,
                                  uint64_t ino)
{
    for (unsigned i = 0; i < s->file_count; i++)
        if (s->files[i].identity.ino == ino && s->files[i].major == major &&
            s->files[i].minor == minor)
            return &s->files[i];
    return NULL;
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

/* "1: FLOCK ADVISORY WRITE 1234 fd:01:5678 0 EOF" (proc(5), locks): the device is hexadecimal, the
 * inode decimal; a "->" behind the number marks one who waits. The pid of an OFD lock is -1, and
 * that of a process that cannot be seen 0. A lease that is being broken tells what it is to become.
 */
static bool read_lock_line(struct told *told, char *line)
{
    next_field(&line);
    const char *type = next_field(&line);
    const char *state = next_field(&line);
    const char *mode = next_field(&line);
    const char *pid = next_field(&line);
    const char *where = next_field(&line);
    const char *start = next_field(&line);
    const char *end = next_field(&line);
    if (end == NULL)
        return false;
    bool exclusive = !str_equal(mode, "READ") || str_equal(state, "BREAKING");
    told->holder = (struct holder){
        .hold = hold_of(type, exclusive),
        .exclusive = exclusive,
        .pid = pid[0] == '-' ? 0 : (int)text_number(pid),
        .descriptor = -1,
        .ending = "",
        .start = number_of(start, 10),
        .end = str_equal(end, "EOF") ? HOLDER_TO_END : number_of(end, 10),
    };
    told->major = (unsigned)number(&where, 16);
    where += *where == ':';
    told->minor = (unsigned)number(&where, 16);
    where += *where == ':';
    told->ino = number(&where, 10);
    return told->holder.hold != HOLD_NONE;
}

/* Says of a lock which of the files it is on. */
static void set_file(struct holder *h, const struct file *file)
{
    h->ending = file->ending;
    if (is_record_lock(h->hold))
        h->sqlite = holder_sqlite_locks(file->wal_index, h->exclusive, h->start, h->end);
}

static bool same_lock(const struct holder *a, const struct holder *b)
{
    return a->hold == b->hold && a->exclusive == b->exclusive && str_equal(a->ending, b->ending) &&
           a->start == b->start && a->end == b->end;
}

static bool is_told(const struct holders *found, const struct holder *lock)
{
    for (unsigned i = 0; i < found->count; i++)
        if (found->list[i].pid == lock->pid && same_lock(&found->list[i], lock))
            return true;
    return false;
}

/* The kernel tells a page at a time, and locks that come and go between two pages make it tell some
 * twice and leave others out. What is left out, and a second one that is the same, is found with
 * its process. */
static void search_proc_locks(struct search *s)
{
    struct lines lines;
    char *line;
    if (lines_open(&lines, "/proc/locks") < 0)
        return;
    while ((line = lines_next(&lines)) != NULL) {
        struct told told;
        const struct file *file;
        if (!read_lock_line(&told, line) ||
            (file = file_on(s, told.major, told.minor, told.ino)) == NULL)
            continue;
        set_file(&told.holder, file);
        if (matters(&told.holder, s->question->until) && !is_told(s->found, &told.holder) &&
            !add(s->found, &told.holder))
            s->untold++;
    }
    lines_close(&lines);
}

/* A lock of a descriptor: completes the one that /proc/locks told of, or is a further one. Several
 * processes have the same flock or OFD lock after a fork, and each of them keeps it. False if the
 * process's lock is known by another descriptor already: a POSIX lock is its process's. */
static bool take_lock(struct search *s, struct holder *lock, int pid)
{
    int taker = lock->pid;
    lock->pid = pid;
    for (unsigned i = 0; i < s->found->count; i++) {
        struct holder *h = &s->found->list[i];
        if (!same_lock(h, lock))
            continue;
        if (h->descriptor < 0 && h->pid == taker) {
            *h = *lock;
            return true;
        }
        if (h->pid == pid && (lock->hold == HOLD_POSIX_READ || lock->hold == HOLD_POSIX_WRITE))
            return false;
    }
    if (!add(s->found, lock) && s->untold > 0) { /* it has been counted before */
        s->untold--;
        s->found->unlisted--;
    }
    return true;
}

/* --- processes --- */

static bool out_of_time(struct search *s)
{
    if (sys_now() >= s->question->deadline)
        s->found->hurried = true;
    return s->found->hurried;
}

/* table: "/proc/PID" or "/proc/PID/task/TID"; name: of the descriptor's entry. */
static void look_at_descriptor(struct search *s, int pid, const char *table, const char *name,
                               const struct file *file)
{
    struct lines lines;
    char path[96];
    char *line;
    struct text t = text_in(path, sizeof path);
    text_str(&t, table);
    text_str(&t, "/fdinfo/");
    text_str(&t, name);
    if (lines_open(&lines, path) < 0)
        return;
    unsigned long flags = 0;
    bool locks = false;
    while ((line = lines_next(&lines)) != NULL) {
        const char *key = next_field(&line);
        if (key == NULL)
            continue;
        if (str_equal(key, "flags:"))
            flags = number_of(next_field(&line), 8);
        struct told told;
        if (!str_equal(key, "lock:") || !read_lock_line(&told, line))
            continue;
        told.holder.descriptor = (int)text_number(name);
        told.holder.writes = (flags & O_ACCMODE) != O_RDONLY;
        set_file(&told.holder, file);
        if (matters(&told.holder, s->question->until))
            locks |= take_lock(s, &told.holder, pid);
    }
    lines_close(&lines);
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    struct holder h = {.hold = writes ? HOLD_WRITING : HOLD_OPEN,
                       .writes = writes,
                       .pid = pid,
                       .descriptor = (int)text_number(name),
                       .ending = file->ending};
    if (!locks && (flags & O_PATH) == 0 && matters(&h, s->question->until))
        add(s->found, &h);
}

/* Looks at the descriptors of a table. Returns how many there are, or -errno. */
static int look_at_descriptors(struct search *s, int pid, const char *table)
{
    struct listing listing;
    char path[64];
    struct text t = text_in(path, sizeof path);
    text_str(&t, table);
    text_str(&t, "/fd");
    int result = listing_open(&listing, path);
    if (result < 0)
        return result;
    const struct entry *entry;
    while ((entry = listing_next(&listing)) != NULL) {
        struct sys_statx st;
        if (entry->name[0] == '.')
            continue;
        if (++result % 64 == 0 && out_of_time(s))
            break;
        int error = sys_statx_cached(listing.fd, entry->name, 0, &st);
        if (error ==
            -EACCES) { /* to read the directory is permitted where to look behind it is not */
            result = error;
            break;
        }
        struct identity identity = {sys_device(st.dev_major, st.dev_minor), st.ino};
        const struct file *file = error < 0 ? NULL : file_of(s, identity);
        if (file != NULL)
            look_at_descriptor(s, pid, table, entry->name, file);
    }
    listing_close(&listing);
    return result;
}

/* Whether the file that a mapping is of was opened for writing: the entry in map_files has the mode
 * of it (proc(5)); without that, whether the mapping itself can write. range: "00400000-00452000",
 * in map_files without the zeros in front. */
static bool mapping_writes(const char *table, const char *range, const char *permissions)
{
    char path[128];
    struct sys_statx st;
    struct text t = text_in(path, sizeof path);
    text_str(&t, table);
    text_str(&t, "/map_files/");
    const char *second = strchr(range, '-') + 1;
    const char *first = range + strspn(range, "0");
    text_bytes(&t, first, (size_t)(second - first));
    text_str(&t, second + strspn(second, "0"));
    if (sys_statx_cached(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &st) == 0)
        return (st.mode & S_IWUSR) != 0;
    return permissions[1] == 'w' && permissions[3] == 's';
}

static bool has_descriptor(const struct search *s, int pid, const struct file *file, bool writes)
{
    for (unsigned i = 0; i < s->found->count; i++) {
        const struct holder *h = &s->found->list[i];
        if (h->pid == pid && h->descriptor >= 0 && str_equal(h->ending, file->ending) &&
            (h->writes || !writes))
            return true;
    }
    return false;
}

/* "7f2c1a000000-7f2c1a008000 rw-s 00000000 fe:00 1234 /data/x" (proc(5), maps). */
static void look_at_mappings(struct search *s, int pid, const char *table)
{
    struct lines lines;
    char path[64];
    char *line;
    bool mapped[FILES_MAX] = {false};
    bool writes[FILES_MAX] = {false};
    struct text t = text_in(path, sizeof path);
    text_str(&t, table);
    text_str(&t, "/maps");
    if (lines_open(&lines, path) < 0)
        return;
    while ((line = lines_next(&lines)) != NULL) {
        const char *range = next_field(&line);
        const char *permissions = next_field(&line);
        next_field(&line);
        const char *device = next_field(&line);
        const char *ino = next_field(&line);
        if (ino == NULL)
            continue;
        unsigned major = (unsigned)number(&device, 16);
        device += *device == ':';
        unsigned minor = (unsigned)number(&device, 16);
        const struct file *file = file_on(s, major, minor, number_of(ino, 10));
        if (file == NULL)
            continue;
        mapped[file - s->files] = true;
        writes[file - s->files] |= mapping_writes(table, range, permissions);
    }
    lines_close(&lines);
    for (unsigned i = 0; i < s->file_count; i++) {
        struct holder h = {.hold = HOLD_MAPPED,
                           .writes = writes[i],
                           .pid = pid,
                           .descriptor = -1,
                           .ending = s->files[i].ending};
        if (mapped[i] && matters(&h, s->question->until) &&
            !has_descriptor(s, pid, &s->files[i], writes[i]))
            add(s->found, &h);
    }
}

static int look_at_table(struct search *s, int pid, const char *table)
{
    int descriptors = look_at_descriptors(s, pid, table);
    if (descriptors >= 0 && s->question->until != UNTIL_UNLOCKED)
        look_at_mappings(s, pid, table);
    return descriptors;
}

/* A process whose first thread has ended shows nothing of its own; the other threads do. */
static int look_at_threads(struct search *s, int pid)
{
    struct listing tasks;
    char path[64];
    struct text t = text_in(path, sizeof path);
    proc_path(&t, pid, "/task");
    if (listing_open(&tasks, path) < 0)
        return 0;
    const struct entry *entry;
    int descriptors = 0;
    while (descriptors == 0 && (entry = listing_next(&tasks)) != NULL) {
        if (entry->name[0] == '.' || text_number(entry->name) == pid)
            continue;
        t = text_in(path, sizeof path);
        proc_path(&t, pid, "/task/");
        text_str(&t, entry->name);
        descriptors = look_at_table(s, pid, path);
    }
    listing_close(&tasks);
    return descriptors;
}

/* False if that is not permitted, or there is no time left. */
static bool look_into(struct search *s, int pid)
{
    char table[32];
    struct text t = text_in(table, sizeof table);
    if (out_of_time(s))
        return false;
    proc_path(&t, pid, "");
    int descriptors = look_at_table(s, pid, table);
    if (descriptors == 0)
        descriptors = look_at_threads(s, pid);
    bool refused = descriptors == -EACCES || descriptors == -EPERM;
    s->found->refused += refused;
    s->saw_init |= pid == 1;
    return !refused && !s->found->hurried;
}

static bool came_first(const struct search *s, int pid)
{
    for (unsigned i = 0; i < s->first_count; i++)
        if (s->first[i].pid == pid)
            return true;
    return false;
}

static void look_first_into(struct search *s, int pid)
{
    if (pid == 0 || s->first_count == FIRST_MAX || came_first(s, pid))
        return;
    s->first[s->first_count].pid = pid;
    s->first[s->first_count++].refused = !look_into(s, pid);
}

/* /proc/locks tells of a flock or lease who took it. If that process has been looked into and does
 * not have it, somebody has inherited it or has been given it. */
static void disown_what_was_passed_on(struct search *s)
{
    for (unsigned i = 0; i < s->found->count; i++) {
        struct holder *h = &s->found->list[i];
        for (unsigned j = 0; j < s->first_count; j++)
            if (h->pid == s->first[j].pid && h->descriptor < 0 && !s->first[j].refused &&
                (h->hold == HOLD_FLOCK || h->hold == HOLD_LEASE))
                h->pid = 0;
    }
}

static void look_into_all(struct search *s)
{
    struct listing processes;
    if (listing_open(&processes, "/proc") < 0)
        return;
    const struct entry *entry;
    while ((entry = listing_next(&processes)) != NULL && !s->found->hurried) {
        int pid = (int)text_number(entry->name);
        if (pid > 0 && !came_first(s, pid))
            look_into(s, pid);
    }
    listing_close(&processes);
}

/* --- who they are --- */

static void read_command(struct holder *h)
{
    char path[64];
    struct text t = text_in(path, sizeof path);
    proc_path(&t, h->pid, "/comm");
    int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    long length = sys_read(fd, h->command, sizeof h->command - 1);
    sys_close(fd);
    if (length > 0 && h->command[length - 1] == '\n')
        length--;
    h->command[length > 0 ? length : 0] = '\0';
}

/* "NSpid: 4242 7" (proc(5), status): the pid in each namespace, from that of /proc inwards. */
static void read_inner_pid(struct holder *h)
{
    struct lines lines;
    char path[64];
    char *line;
    struct text t = text_in(path, sizeof path);
    proc_path(&t, h->pid, "/status");
    if (lines_open(&lines, path) < 0)
        return;
    while ((line = lines_next(&lines)) != NULL) {
        const char *key = next_field(&line);
        if (key == NULL || !str_equal(key, "NSpid:"))
            continue;
        const char *pid = next_field(&line);
        for (; pid != NULL; pid = next_field(&line))
            h->inner_pid = (int)text_number(pid);
        if (h->inner_pid == h->pid)
            h->inner_pid = 0;
        break;
    }
    lines_close(&lines);
}

static void name(struct holders *found, struct holder *h)
{
    if (h->pid == 0 || h->where != WHERE_HERE)
        return;
    for (const struct holder *known = found->list; known < h; known++)
        if (known->pid == h->pid && known->where == WHERE_HERE) {
            h->inner_pid = known->inner_pid;
            memcpy(h->command, known->command, sizeof h->command);
            return;
        }
    read_command(h);
    read_inner_pid(h);
}

/* --- the one that the kernel named --- */

/* Whether a process has an open file of that inode, whatever the device: the same file may be
 * mounted twice. */
static bool has_inode(int pid, uint64_t ino)
{
    struct listing listing;
    char path[64];
    struct text t = text_in(path, sizeof path);
    proc_path(&t, pid, "/fd");
    if (listing_open(&listing, path) < 0)
        return true; /* who knows */
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

static bool exists(int pid)
{
    char path[32];
    struct stat st;
    struct text t = text_in(path, sizeof path);
    proc_path(&t, pid, "");
    return sys_stat(path, &st) == 0;
}

/* Whether a found holder is the one that the kernel meant. It says no more of a lease that it
 * refuses than that somebody has the file open. */
static bool is_meant(const struct holder *found, const struct holder *seen)
{
    if (!str_equal(found->ending, seen->ending))
        return false;
    if (seen->hold == HOLD_OPEN || seen->hold == HOLD_WRITING)
        return seen->hold == HOLD_OPEN || found->writes;
    if (seen->where == WHERE_OTHER_NAMESPACE)
        return false;
    if (is_record_lock(seen->hold))
        return same_lock(found, seen) && (found->pid == seen->pid || seen->pid == 0);
    return found->hold == seen->hold;
}

static void put_first(struct search *s, const struct holder *seen)
{
    struct holders *found = s->found;
    struct holder first = *seen;
    unsigned at = 0;
    while (at < found->count && !is_meant(&found->list[at], seen))
        at++;
    if (at < found->count) {
        first = found->list[at];
    } else if (found->count < found->room) {
        found->count++;
    } else {
        at = found->room - 1;
        found->unlisted++;
    }
    memmove(&found->list[1], &found->list[0], at * sizeof first);
    found->list[0] = first;
}

/* A pid is the kernel's, by this process's pid namespace, which may not be that of /proc. */
static struct holder as_proc_counts(const struct search *s, const struct holder *seen)
{
    struct holder h = *seen;
    const struct file *file = NULL;
    for (unsigned i = 0; i < s->file_count; i++)
        if (str_equal(s->files[i].ending, h.ending))
            file = &s->files[i];
    if (file != NULL)
        set_file(&h, file);
    if (s->self != sys_getpid() && h.where == WHERE_HERE)
        h.pid = 0;
    if (s->question->remote && h.pid > 0 && h.where == WHERE_HERE &&
        (!exists(h.pid) || (file != NULL && !has_inode(h.pid, file->identity.ino))))
        h.where = WHERE_OTHER_HOST;
    return h;
}

/* --- together --- */

static int number_of_self(void)
{
    char link[16];
    long length = sys_readlink("/proc/self", link, sizeof link - 1);
    link[length > 0 ? length : 0] = '\0';
    return (int)text_number(link);
}

/* The inode number of the first pid namespace is fixed (PROC_PID_INIT_INO in the kernel's
 * proc_ns.h). */
static bool in_first_namespace(void)
{
    char link[32];
    long length = sys_readlink("/proc/self/ns/pid", link, sizeof link - 1);
    link[length > 0 ? length : 0] = '\0';
    return str_equal(link, "pid:[4026531836]");
}

void holders_find(struct holders *found, const struct holders_question *question,
                  const struct holder *seen)
{
    struct search s = {.question = question, .found = found, .self = number_of_self()};
    found->count = found->unlisted = found->refused = 0;
    found->hurried = false;

    add_file(&s, "");
    for (int i = 0; question->sidecars && sidecar_endings[i] != NULL; i++)
        add_file(&s, sidecar_endings[i]);
    if (question->locks)
        search_proc_locks(&s);
    unsigned told = found->count;
    for (unsigned i = 0; i < told; i++)
        look_first_into(&s, found->list[i].pid);
    look_first_into(&s, s.self);
    look_into_all(&s);
    disown_what_was_passed_on(&s);

    found->out_of_sight = !s.saw_init || !in_first_namespace();
    if (seen != NULL) {
        struct holder known = as_proc_counts(&s, seen);
        put_first(&s, &known);
    }
    for (unsigned i = 0; i < found->count; i++)
        name(found, &found->list[i]);
}

bool holders_complete(const struct holders *found)
{
    return found->unlisted == 0 && found->refused == 0 && !found->hurried && !found->out_of_sight;
}

/* --- telling --- */

static void describe_process(struct text *t, const struct holder *h)
{
    if (h->where == WHERE_OTHER_NAMESPACE) {
        text_str(t, " of a process in another pid namespace");
        return;
    }
    if (h->pid == 0) {
        text_str(t, " of a process that cannot be named from here");
        return;
    }
    text_str(t, " of pid ");
    text_int(t, h->pid);
    if (h->where == WHERE_OTHER_HOST) {
        text_str(t, " on another host");
        return;
    }
    text_str(t, " (");
    text_path(t, h->command[0] != '\0' ? h->command : "command unknown");
    if (h->pid == sys_getpid())
        text_str(t, ", this process");
    if (h->inner_pid != 0) {
        text_str(t, ", pid ");
        text_int(t, h->inner_pid);
        text_str(t, " in another pid namespace");
    }
    text_str(t, ")");
}

void holder_describe(struct text *t, const struct holder *h)
{
    text_str(t, hold_name(h->hold));
    describe_process(t, h);
    if (h->pid == sys_getpid() && h->descriptor >= 0) {
        text_str(t, ", descriptor ");
        text_int(t, h->descriptor);
    }
    if (h->sqlite != 0) {
        text_str(t, ", ");
        holder_say_sqlite(t, h);
    }
    if (h->ending[0] != '\0') {
        text_str(t, " on ");
        text_str(t, h->ending);
    }
}

void holders_describe(struct text *t, const struct holders *found)
{
    const unsigned most = 4;
    unsigned shown = found->count < most ? found->count : most;
    for (unsigned i = 0; i < shown; i++) {
        text_str(t, i == 0 ? "" : i == 1 ? "; also " : "; ");
        holder_describe(t, &found->list[i]);
    }
    unsigned more = found->count - shown + found->unlisted;
    if (more > 0) {
        text_str(t, "; ");
        text_int(t, more);
        text_str(t, " more");
    }
}

void holders_say_missing(struct text *t, const struct holders *found)
{
    const char *separator = "";
    if (found->refused > 0) {
        text_int(t, found->refused);
        text_str(t, found->refused == 1 ? " process" : " processes");
        text_str(t, " may not be looked into (another user's, or a more privileged one)");
        separator = "; ";
    }
    if (found->hurried) {
        text_str(t, separator);
        text_str(t, "there was no time to look into all processes");
        separator = "; ";
    }
    if (found->out_of_sight) {
        text_str(t, separator);
        text_str(t, "processes outside of this pid namespace cannot be seen");
    }
}

void holder_json(struct json *j, const struct holder *h, const char *path)
{
    static const char *const places[] = {"here", "another pid namespace", "another host"};
    char buffer[PATH_MAX + 16];
    struct text file = text_in(buffer, sizeof buffer);
    text_str(&file, path);
    text_str(&file, h->ending);
    json_object(j, NULL);
    json_int(j, "pid", h->pid);
    json_str(j, "command", h->command);
    json_str(j, "kind", hold_name(h->hold));
    json_str(j, "file", buffer);
    if (h->sqlite != 0) {
        char lock[64];
        struct text t = text_in(lock, sizeof lock);
        holder_say_sqlite(&t, h);
        json_str(j, "lock", lock);
    }
    if (is_lock(h->hold))
        json_bool(j, "exclusive", h->exclusive);
    if (is_record_lock(h->hold)) {
        json_int(j, "start", (long)h->start);
        if (h->end != HOLDER_TO_END)
            json_int(j, "end", (long)h->end);
    }
    if (h->descriptor >= 0)
        json_int(j, "fd", h->descriptor);
    if (h->descriptor >= 0 || h->hold == HOLD_MAPPED)
        json_bool(j, "writes", h->writes);
    if (h->inner_pid != 0)
        json_int(j, "inner_pid", h->inner_pid);
    if (h->where != WHERE_HERE)
        json_str(j, "where", places[h->where]);
    json_end(j, '}');
}
