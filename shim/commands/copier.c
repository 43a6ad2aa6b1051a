#include "commands/copier.h"

#include "base/path.h"
#include "commands/copy_finish.h"
#include "commands/database.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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

static void count_beside(const struct copy_job *job)
{
    char path[PATH_MAX];
    struct stat st;
    for (int i = 0; copy_job_ending(job, i) != NULL; i++)
        if (path_beside(path, sizeof path, job->database, copy_job_ending(job, i)) &&
            stat(path, &st) == 0)
            atomic_fetch_add(&shared->total, (uint64_t)st.st_size);
}

/* What is copied now is as a rule what is there later, and then the writers do not wait for it. */
static bool prepare(struct copy_job *job, const struct copy_place *place)
{
    struct stat st;
    job->files.to = place->temporary;
    count_beside(job);
    if (job->directory == NULL)
        return true;
    if (fstat(place->temporary, &st) != 0)
        return fail(place->path, errno);
    job->files.profile = job->profile;
    job->files.without = identity_of(&st);
    return open_directories(job) && copy_directory_begin(&job->files, shared);
}

static bool copy_database_file(struct copy_job *job, const char *ending, struct stat *st)
{
    char source[PATH_MAX];
    char name[PATH_MAX];
    if (!path_beside(source, sizeof source, job->database, ending) ||
        !path_beside(name, sizeof name, copy_job_name(job), ending))
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
    if (!path_beside(path, sizeof path, job->database, copy_job_ending(job, i)) ||
        stat(path, &now) != 0)
        return then->st_nlink == 0;
    return then->st_nlink != 0 && tree_same(then, &now);
}

static bool is_unwritten(const struct copy_job *job, const struct database_state *before)
{
    struct database_state after;
    bool same = true;
    if (job->profile->copy != COPY_SQLITE) {
        for (int i = 0; copy_job_ending(job, i) != NULL; i++)
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
    for (int i = 0; good && copy_job_ending(job, i) != NULL; i++)
        good = copy_database_file(job, copy_job_ending(job, i), &job->beside[i]);
    good = good && (job->directory == NULL || copy_directory_rest(&job->files, shared));
    if (good && !is_unwritten(job, &before))
        return copying_fails(shared,
                             "was written though it was locked; does its file system keep locks?");
    return good;
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
        return copy_finish(c->jobs, c->count, c->place, shared);
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
    if (memory == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, orders) != 0)
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

/* Where the process was killed there is no answer either; nor may SIGPIPE end this one, which has
 * what was made to remove. */
void copier_order(const struct copier *c, enum copier_order order, unsigned job)
{
    const struct order message = {(char)order, job};
    send(c->orders, &message, sizeof message, MSG_NOSIGNAL);
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
