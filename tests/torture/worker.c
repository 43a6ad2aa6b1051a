/* worker MODE DATABASE SHARED REPORT SLOT SEED THREADS: a process that opens, uses and closes a
 * database all the time.
 *   threads  in threads with a connection each; now and then one of them forks a child that
 *            closes everything it inherited, or spawns a command
 *   parent   in children, which it kills and replaces; it leaves SQLite alone itself, since a
 *            connection must not be carried across a fork
 *            (https://www.sqlite.org/howtocorrupt.html)
 *   child    as such a child, when it is a program of its own
 *
 * threads and parent say "ready", begin at a line on their input, say "quiet" when all that they
 * started has ended, and end with their input. */
#include "database.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 3 };

struct worker {
    char **arguments;
    const char *database;
    struct shared *shared;
    int report;
    unsigned slot; /* of the process; a parent's children have it and the next ones */
    unsigned seed;
    unsigned threads;  /* of the process, or of each child */
    bool has_children; /* of its threads' own; those of a killed process would stay behind */
};

struct thread {
    struct worker *worker;
    struct process_slot *process;
    unsigned index;
};

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

static void await_line(void)
{
    char line[16];
    if (fgets(line, sizeof line, stdin) == NULL)
        exit(0);
}

/* --- threads --- */

static void fork_and_close_everything(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (int fd = 3; fd < 256; fd++)
            close(fd);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void spawn_a_command(void)
{
    extern char **environ;
    char name[] = "/bin/true";
    char *arguments[] = {name, NULL};
    pid_t pid;
    if (posix_spawn(&pid, name, NULL, NULL, arguments, environ) == 0)
        waitpid(pid, NULL, 0);
}

static void have_a_child(struct life *life)
{
    if (chance(&life->seed, 2) == 0)
        fork_and_close_everything();
    else
        spawn_a_command();
    count(life->shared, COUNT_forks);
}

static void *live(void *argument)
{
    const struct thread *thread = argument;
    struct worker *worker = thread->worker;
    struct life life = {
        .database = worker->database,
        .report = worker->report,
        .shared = worker->shared,
        .slot = &thread->process->slots[thread->index],
        .seed = worker->seed + thread->index,
        .writer = atomic_fetch_add(&worker->shared->writers, 1) + 1,
    };
    while (!atomic_load(&worker->shared->stopping)) {
        database_visit(&life);
        if (worker->has_children && chance(&life.seed, 16) == 0)
            have_a_child(&life);
    }
    return NULL;
}

static void run_threads(struct worker *worker)
{
    struct process_slot *process = &worker->shared->processes[worker->slot];
    struct thread threads[THREADS];
    pthread_t ids[THREADS];
    atomic_store(&process->pid, getpid());
    atomic_store(&process->threads, (int)worker->threads + 1);
    for (unsigned i = 0; i < worker->threads; i++) {
        threads[i] = (struct thread){worker, process, i};
        pthread_create(&ids[i], NULL, live, &threads[i]);
    }
    for (unsigned i = 0; i < worker->threads; i++)
        pthread_join(ids[i], NULL);
}

/* --- a parent and its children --- */

static _Noreturn void become_program(const struct worker *worker)
{
    char slot[16];
    char seed[16];
    char mode[] = "child";
    snprintf(slot, sizeof slot, "%u", worker->slot);
    snprintf(seed, sizeof seed, "%u", worker->seed);
    char **given = worker->arguments;
    char *arguments[] = {given[0], mode, given[2], given[3], given[4], slot, seed, given[7], NULL};
    execv("/proc/self/exe", arguments);
    perror("exec");
    _exit(1);
}

/* Every other child is a program of its own, in which the library starts anew. */
static pid_t start_child(struct worker worker, unsigned which, unsigned seed)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    worker.slot += which;
    worker.seed = seed;
    if (seed % 2 == 0)
        become_program(&worker);
    run_threads(&worker);
    _exit(0);
}

static bool has_one_inside(struct process_slot *process)
{
    bool inside = false;
    for (unsigned i = 0; i < THREADS; i++)
        inside |= is_inside(atomic_load(&process->slots[i].turn));
    return inside;
}

/* Half of the kills come in the middle of a transaction, if there is one soon. */
static void choose_moment(unsigned *seed, struct process_slot *process)
{
    if (chance(seed, 2) == 0)
        return;
    for (int tries = 0; tries < 100 && !has_one_inside(process); tries++)
        pause_up_to(seed, 200);
}

/* The inspector takes a turn for true only where the process is not doomed afterwards, so doomed is
 * set before the kill, and the turns end before it is taken back. */
static void kill_child(struct worker *worker, struct process_slot *process, pid_t pid)
{
    struct shared *shared = worker->shared;
    choose_moment(&worker->seed, process);
    atomic_store(&process->doomed, true);
    bool inside = has_one_inside(process);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    for (unsigned i = 0; i < THREADS; i++)
        if (is_inside(atomic_load(&process->slots[i].turn)))
            atomic_fetch_add(&process->slots[i].turn, 1);
    atomic_store(&process->doomed, false);

    count(shared, COUNT_kills);
    if (inside)
        count(shared, COUNT_kills_inside);
    atomic_fetch_add(&shared->counters[COUNT_killed_threads], worker->threads);
}

static void run_children(struct worker *worker)
{
    pid_t children[CHILDREN];
    unsigned seed = worker->seed;
    for (unsigned i = 0; i < CHILDREN; i++)
        children[i] = start_child(*worker, i, seed++);
    while (!atomic_load(&worker->shared->stopping)) {
        pause_up_to(&worker->seed, 200000);
        unsigned i = chance(&worker->seed, CHILDREN);
        kill_child(worker, &worker->shared->processes[worker->slot + i], children[i]);
        children[i] = start_child(*worker, i, seed++);
    }
    for (unsigned i = 0; i < CHILDREN; i++) {
        int status = 0;
        waitpid(children[i], &status, 0);
        if (status != 0)
            fprintf(stderr, "worker %d: a child ended with status %#x\n", (int)getpid(),
                    (unsigned)status);
    }
}

int main(int argc, char **argv)
{
    if (argc != 8)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct worker worker = {
        .arguments = argv,
        .database = argv[2],
        .shared = shared_map(argv[3]),
        .report = open(argv[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644),
        .slot = (unsigned)atoi(argv[5]),
        .seed = (unsigned)atoi(argv[6]),
        .threads = (unsigned)atoi(argv[7]),
        .has_children = strcmp(argv[1], "threads") == 0,
    };
    if (worker.report < 0 || worker.slot + CHILDREN > PROCESSES || worker.threads > THREADS)
        return 2;
    if (strcmp(argv[1], "child") == 0) {
        run_threads(&worker);
        return 0;
    }
    say("ready");
    await_line();
    if (worker.has_children)
        run_threads(&worker);
    else
        run_children(&worker);
    say("quiet");
    await_line();
    return 0;
}
