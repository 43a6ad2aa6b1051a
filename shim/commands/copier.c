#include "commands/copier.h"

#include "base/path.h"
#include "commands/copy_check.h"
#include "commands/database.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct copying *shared; /* of the process that is the copier */

static void stop(int number)
{
    (void)number;
    atomic_store(&shared->cancelled, true);
}

static bool fail(const char *path, int error)
{
    return copying_fails_by(shared, path, error);
}

enum { OPEN_FLAGS = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC };

/* --- the orders --- */

static const char *main_name(const struct copy_job *job)
{
    return job->directory == NULL ? path_name(job->path) : job->profile->primary;
}

/* Within job->files.to. */
static const char *copied_name(const struct copy_job *job)
{
    return job->directory == NULL ? job->path : main_name(job);
}

static bool open_directories(struct copy_job *job)
{
    int temporary = job->files.to;
    job->files.from = open(job->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (job->files.from < 0 || fstat(job->files.from, &job->top) != 0)
        return fail(job->directory, errno);
    if (mkdirat(temporary, job->path, 0700) != 0)
        return fail(job->path, errno);
    job->files.to = openat(temporary, job->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return job->files.to >= 0 || fail(job->path, errno);
}

/* The ending of one of the files that are copied under the lock; NULL behind the last. Of SQLite's
 * the -wal alone: the -shm is made anew, and a -journal that counts is refused. */
static const char *ending_of(const struct copy_job *job, int i)
{
    if (i == 0)
        return "";
    if (job->profile->copy == COPY_SQLITE)
        return i == 1 ? "-wal" : NULL;
    return profile_sidecar(job->profile, i - 1);
}

static void count_beside(const struct copy_job *job)
{
    char path[PATH_MAX];
    struct stat st;
    for (int i = 0; ending_of(job, i) != NULL; i++)
        if (path_beside(path, sizeof path, job->database, ending_of(job, i)) &&
            stat(path, &st) == 0)
            atomic_fetch_add(&shared->total, (uint64_t)st.st_size);
}

/* What is copied now is as a rule what is there later, and then the writers do not wait for it. */
static bool prepare(struct copy_job *job, const struct copy_place *place)
{
    job->files.to = place->temporary;
    count_beside(job);
    if (job->directory == NULL)
        return true;
    job->files.profile = job->profile;
    return open_directories(job) && copy_directory_begin(&job->files, shared);
}

static bool copy_database_file(struct copy_job *job, const char *ending, struct stat *st)
{
    char source[PATH_MAX];
    char name[PATH_MAX];
    if (!path_beside(source, sizeof source, job->database, ending) ||
        !path_beside(name, sizeof name, copied_name(job), ending))
        return fail(job->database, ENAMETOOLONG);
    int from = open(source, OPEN_FLAGS);
    if (from < 0 && errno == ENOENT && ending[0] != '\0')
        return true;
    if (from < 0 || fstat(from, st) != 0)
        return fail(source, errno);
    return copy_file(shared, from, st, job->files.to, name, false);
}

/* Whether a file that was copied is still what it was. */
static bool is_as_copied(const struct copy_job *job, int i)
{
    char path[PATH_MAX];
    struct stat now;
    const struct stat *then = &job->beside[i];
    if (!path_beside(path, sizeof path, job->database, ending_of(job, i)) || stat(path, &now) != 0)
        return then->st_nlink == 0;
    return then->st_nlink != 0 && tree_same(then, &now);
}

static bool is_unwritten(const struct copy_job *job, const struct database_state *before)
{
    struct database_state after;
    bool same = true;
    if (job->profile->copy != COPY_SQLITE) {
        for (int i = 0; ending_of(job, i) != NULL; i++)
            same &= is_as_copied(job, i);
        return same;
    }
    database_state(job->database, &after);
    return memcmp(before, &after, sizeof after) == 0;
}

static bool copy(struct copy_job *job)
{
    struct database_state before;
    bool good = true;
    if (job->profile->copy == COPY_SQLITE)
        database_state(job->database, &before);
    for (int i = 0; good && ending_of(job, i) != NULL; i++)
        good = copy_database_file(job, ending_of(job, i), &job->beside[i]);
    good = good && (job->directory == NULL || copy_directory_rest(&job->files, shared));
    if (good && !is_unwritten(job, &before))
        return copying_fails(shared,
                             "was written though it was locked; does its file system keep locks?");
    return good;
}

static bool set_attributes(int directory, const char *name, const struct stat *st)
{
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int result = fd < 0 ? -errno : copy_attributes(fd, st);
    if (fd >= 0)
        close(fd);
    return result == 0 || fail(name, -result);
}

/* What was in the -wal the check has folded in. */
static bool is_kept(const struct copy_job *job, int i)
{
    return i == 0 || job->profile->copy != COPY_SQLITE;
}

/* Of directories at last, since what is made in them changes their times. */
static bool set_all_attributes(const struct copy_job *job, bool top)
{
    const struct tree *files = &job->files.done;
    char name[PATH_MAX];
    bool good = true;
    for (int i = 0; good && ending_of(job, i) != NULL; i++)
        if (job->beside[i].st_nlink != 0 && is_kept(job, i))
            good = (path_beside(name, sizeof name, copied_name(job), ending_of(job, i)) ||
                    fail(job->path, ENAMETOOLONG)) &&
                   set_attributes(job->files.to, name, &job->beside[i]);
    for (size_t i = files->count; good && i-- > 0;)
        if (S_ISDIR(files->entries[i].st.st_mode))
            good = set_attributes(job->files.to, files->entries[i].path, &files->entries[i].st);
    return good &&
           (!top || job->directory == NULL || set_attributes(job->files.to, ".", &job->top));
}

/* Of others only their engines could say. */
static bool check(const struct copy_job *job)
{
    if (job->profile->copy != COPY_SQLITE)
        return true;
    char path[PATH_MAX];
    char buffer[256];
    struct text why = text_in(buffer, sizeof buffer);
    bool fits = job->directory == NULL ? str_copy(path, sizeof path, job->path)
                                       : path_join(path, sizeof path, job->path, main_name(job));
    if (!fits)
        return fail(job->path, ENAMETOOLONG);
    return copy_check(path, &shared->cancelled, &why) || copying_fails(shared, buffer);
}

/* Whether such a one was there, and goes with the copy. */
static bool is_beside(const struct copy_job *job, int i)
{
    return i > 0 && i < COPIED_BESIDE && job->beside[i].st_nlink != 0 && is_kept(job, i);
}

/* Takes one of a file and what lies beside it from one directory to another; nothing if there is
 * none. */
static int move_one(const struct copy_place *place, const struct copy_job *job, int i)
{
    char name[PATH_MAX];
    if (i > 0 && !is_beside(job, i))
        return 0;
    if (!path_beside(name, sizeof name, place->name, ending_of(job, i)))
        return -ENAMETOOLONG;
    int result = i == 0 ? 0 : copy_sync(place->temporary, name, shared); /* TO's has been written */
    return result < 0 ? result : copy_rename(place->temporary, name, place->parent, name);
}

static void take_back(const struct copy_place *place, const struct copy_job *job, int i)
{
    char name[PATH_MAX];
    if (is_beside(job, i) && path_beside(name, sizeof name, place->name, ending_of(job, i)))
        unlinkat(place->parent, name, 0);
}

/* What lies beside a file goes before it, so that it is not there without; and back where one
 * cannot. */
static int move_all(const struct copy_place *place, const struct copy_job *first)
{
    int result = 0;
    int last = 0;
    while (!place->several && first->directory == NULL && ending_of(first, last + 1) != NULL)
        last++;
    for (int i = last; i >= 0; i--) {
        result = move_one(place, first, i);
        for (int moved = last; result < 0 && moved > i; moved--)
            take_back(place, first, moved);
        if (result < 0)
            break;
    }
    return result;
}

/* A directory that is renamed must be writable, so the mode that it is to have comes after that. */
static bool publish(const struct copy_place *place, const struct copy_job *first)
{
    const mode_t mask = umask(0);
    umask(mask);
    int result = copy_sync(place->temporary, place->name, shared);
    if (result == 0 && (fsync(place->temporary) != 0 || fsync(place->parent) != 0))
        result = errno == EINVAL ? 0 : -errno;
    if (result == 0 && atomic_load(&shared->cancelled))
        result = -ECANCELED;
    if (result == 0)
        result = move_all(place, first);
    if (result < 0)
        return fail(place->path, -result);
    if (place->several)
        fchmodat(place->parent, place->name, 0777 & ~mask, 0);
    else if (first->directory != NULL)
        set_attributes(place->parent, place->name, &first->top);
    unlinkat(place->parent, place->temporary_name, AT_REMOVEDIR);
    fsync(place->parent);
    return true;
}

/* By names from the directory that is being filled on, so that they are short. */
static bool finish(const struct copier *c)
{
    if (fchdir(c->place->temporary) != 0)
        return fail(c->place->path, errno);
    for (unsigned i = 0; i < c->count; i++)
        if (!check(&c->jobs[i]) || !set_all_attributes(&c->jobs[i], c->place->several))
            return false;
    return publish(c->place, &c->jobs[0]);
}

static bool carry_out(const struct copier *c, char order, unsigned job)
{
    shared->reason[0] = '\0';
    switch (order) {
    case ORDER_PREPARE:
        return prepare(&c->jobs[job], c->place);
    case ORDER_COPY:
        return copy(&c->jobs[job]);
    case ORDER_FINISH:
        return finish(c);
    default:
        return false;
    }
}

/* --- the process --- */

struct order {
    char what;
    unsigned job;
};

/* Until there are no more orders: whoever gave them has what he wanted, or is gone. */
static void work(const struct copier *c, int orders, int answers)
{
    struct order order;
    while (read(orders, &order, sizeof order) == (ssize_t)sizeof order) {
        char answer = carry_out(c, order.what, order.job) ? 'y' : 'n';
        if (write(answers, &answer, 1) != 1)
            break;
    }
    copy_remove(c->place->parent, c->place->temporary_name);
}

/* Signals that concern the one that gives orders are his alone. */
static bool begin_process(pid_t parent)
{
    sigset_t all;
    struct sigaction action = {.sa_handler = stop};
    sigfillset(&all);
    sigdelset(&all, SIGTERM);
    sigaction(SIGTERM, &action, NULL);
    sigprocmask(SIG_SETMASK, &all, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    return getppid() == parent;
}

bool copier_start(struct copier *c)
{
    int orders[2];
    int answers[2];
    const pid_t parent = getpid();
    void *memory =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || pipe2(orders, O_CLOEXEC) != 0)
        return false;
    c->shared = shared = memory;
    if (pipe2(answers, O_CLOEXEC) != 0 || (c->pid = fork()) < 0)
        return false;
    if (c->pid == 0) {
        close(orders[1]);
        close(answers[0]);
        if (!begin_process(parent))
            atomic_store(&shared->cancelled, true);
        work(c, orders[0], answers[1]);
        _exit(0);
    }
    close(orders[0]);
    close(answers[1]);
    c->orders = orders[1];
    c->answers = answers[0];
    return true;
}

void copier_order(const struct copier *c, enum copier_order order, unsigned job)
{
    const struct order message = {(char)order, job};
    (void)!write(c->orders, &message, sizeof message);
}

bool copier_answer(const struct copier *c)
{
    char answer;
    if (read(c->answers, &answer, 1) == 1)
        return answer == 'y';
    return copying_fails(c->shared, "the process that copied was ended from outside");
}

void copier_end(struct copier *c)
{
    if (c->pid <= 0)
        return;
    kill(c->pid, SIGKILL);
    close(c->orders);
    close(c->answers);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
}
