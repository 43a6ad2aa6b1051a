/* inspector DATABASE SHARED JOURNAL: looks from outside whether the threads that say that they are
 * inside a transaction hold the locks for it (https://www.sqlite.org/fileformat2.html#wal_locks and
 * "File Locking And Concurrency", section 3).
 *
 * Says "ready". A line on its input stops the workers; at the end of its input it writes the
 * counters, one a line. It holds no lock itself, so its own opens and closes drop none. */
#include "shared.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* More lines than a pipe holds that nobody reads yet would stop the inspector. */
enum { TOLD_MOST = 10 };

enum { SHARED_FIRST = 0x40000002, SHARED_SIZE = 510 };

/* What only a writer holds. */
struct writers_lock {
    const char *journal;
    const char *name;
    const char *sidecar; /* of the database, "" for itself */
    off_t byte;
};
static const struct writers_lock writers_locks[] = {
    {"rollback", "RESERVED", "", 0x40000001},
    {"wal", "WAL_WRITE_LOCK", "-shm", 120},
};

static const char *database;
static const struct writers_lock *writers_lock;
static struct shared *shared;

/* --- who holds what --- */

/* The process that keeps others from a write lock there: 0 nobody, -1 no such file. */
static pid_t holder_of(const char *path, off_t start, off_t length)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int result = fd < 0 ? -1 : fcntl(fd, F_GETLK, &lock);
    if (fd >= 0)
        close(fd);
    if (result < 0)
        return -1;
    return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

static bool is_shared_lock(const char *line)
{
    long long start;
    long long end;
    return strncmp(line, "lock:", 5) == 0 && strstr(line, "POSIX") != NULL &&
           sscanf(strrchr(line, ':') + 1, "%*s %lld %lld", &start, &end) == 2 &&
           start <= SHARED_FIRST && end >= SHARED_FIRST + SHARED_SIZE - 1;
}

/* fdinfo (proc(5)) lists the locks that the process has on the file, whichever descriptor of it was
 * used to take them. */
static bool fdinfo_shows_shared(pid_t pid, const char *fd)
{
    char path[320];
    char line[256];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%s", (int)pid, fd);
    FILE *info = fopen(path, "re");
    while (info != NULL && !found && fgets(line, sizeof line, info) != NULL)
        found = is_shared_lock(line);
    if (info != NULL)
        fclose(info);
    return found;
}

/* F_GETLK names one holder, and SHARED has many; then the process itself is looked at. */
static bool is_among_holders(pid_t pid)
{
    char path[64];
    struct stat wanted;
    struct stat st;
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *fds = opendir(path);
    if (fds == NULL || stat(database, &wanted) != 0)
        return false;
    for (struct dirent *e; !found && (e = readdir(fds)) != NULL;)
        found = fstatat(dirfd(fds), e->d_name, &st, 0) == 0 && st.st_ino == wanted.st_ino &&
                st.st_dev == wanted.st_dev && fdinfo_shows_shared(pid, e->d_name);
    closedir(fds);
    return found;
}

/* Threads of the process, the library's included: /proc/PID/task has a directory for each. */
static int threads_of(pid_t pid)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    return stat(path, &st) == 0 ? (int)st.st_nlink - 2 : 0;
}

/* --- checking --- */

struct finding {
    const char *lock; /* that is not held; NULL: all are */
    pid_t holder;     /* who has it instead */
};

static struct finding look_for_locks(pid_t pid, bool writes)
{
    if (writes) {
        char path[4096];
        snprintf(path, sizeof path, "%s%s", database, writers_lock->sidecar);
        pid_t holder = holder_of(path, writers_lock->byte, 1);
        if (holder != pid)
            return (struct finding){writers_lock->name, holder};
    }
    pid_t holder = holder_of(database, SHARED_FIRST, SHARED_SIZE);
    if (holder == pid || (holder > 0 && is_among_holders(pid)))
        return (struct finding){NULL, 0};
    return (struct finding){"SHARED", holder};
}

static uint64_t check(struct process_slot *process, struct thread_slot *slot, uint64_t checked)
{
    uint64_t turn = atomic_load(&slot->turn);
    if (!is_inside(turn))
        return 0;
    pid_t pid = atomic_load(&process->pid);
    int threads = atomic_load(&process->threads);
    bool writes = atomic_load(&slot->writes);
    bool probed = threads_of(pid) > threads;
    struct finding finding = look_for_locks(pid, writes);
    probed = probed && threads_of(pid) > threads;
    if (atomic_load(&slot->turn) != turn || atomic_load(&process->doomed))
        return 0;

    count(shared, COUNT_checks);
    if (probed)
        count(shared, COUNT_checks_probed);
    if (finding.lock == NULL || checked == turn)
        return checked;
    count(shared, COUNT_dropped);
    if (atomic_load(&shared->counters[COUNT_dropped]) > TOLD_MOST)
        return turn;
    printf("! %s of pid %d dropped inside a transaction: held by %d now\n", finding.lock, (int)pid,
           (int)finding.holder);
    return turn;
}

static void check_all(void)
{
    static uint64_t reported[PROCESSES][THREADS]; /* turns, so that one lock counts once */
    for (unsigned p = 0; p < PROCESSES; p++)
        for (unsigned t = 0; t < THREADS; t++) {
            struct process_slot *process = &shared->processes[p];
            reported[p][t] = check(process, &process->slots[t], reported[p][t]);
        }
}

/* A short pause, or what has come on the input; false at its end. */
static bool goes_on(void)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    const struct timespec pause = {.tv_nsec = 200000};
    char word[16];
    if (ppoll(&input, 1, &pause, NULL) <= 0)
        return true;
    if (read(0, word, sizeof word) <= 0)
        return false;
    atomic_store(&shared->stopping, true);
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    database = argv[1];
    shared = shared_map(argv[2]);
    for (size_t i = 0; i < sizeof writers_locks / sizeof writers_locks[0]; i++)
        if (strcmp(argv[3], writers_locks[i].journal) == 0)
            writers_lock = &writers_locks[i];
    if (writers_lock == NULL)
        return 2;
    puts("ready");
    fflush(stdout);
    while (goes_on())
        check_all();
#define PRINT(name)                                                                                \
    printf(#name " %llu\n", (unsigned long long)atomic_load(&shared->counters[COUNT_##name]));
    COUNTERS(PRINT)
#undef PRINT
    return 0;
}
