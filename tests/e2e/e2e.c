#include "e2e.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct world world;

static char top[PATH_MAX];

/* Tests that change the user need sources that this user can reach, which are not below a home of
 * mode 0700, as root's is. So this test, in a mount namespace of its own, sees such a home open to
 * all, and nothing in it but the directory that leads to the sources. */
static void open_home(void)
{
    char here[PATH_MAX];
    char path[PATH_MAX];
    char by_number[32];
    struct stat st;
    cr_assert_not_null(realpath(".", here));
    int home = 0; /* the length of the first directory that not all may search */
    do {
        home += 1 + (int)strcspn(here + home + 1, "/");
        snprintf(path, sizeof path, "%.*s", home, here);
        cr_assert_eq(stat(path, &st), 0);
    } while ((st.st_mode & S_IXOTH) != 0 && here[home] != '\0');
    if (geteuid() != 0 || here[home] == '\0' || unshare(CLONE_NEWNS) < 0)
        return;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) { /* a chroot that is no mount */
        cr_log_warn("other users cannot read '%s', where these tests are", path);
        return;
    }
    int below = home + 1 + (int)strcspn(here + home + 1, "/");
    snprintf(path, sizeof path, "%.*s", below, here);
    int sources = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(by_number, sizeof by_number, "/proc/self/fd/%d", sources);
    path[home] = '\0';
    cr_assert_eq(mount("none", path, "tmpfs", 0, "mode=0755"), 0);
    path[home] = '/';
    cr_assert_eq(mkdir(path, 0755), 0);
    cr_assert_eq(mount(by_number, path, NULL, MS_BIND | MS_REC, NULL), 0);
    close(sources);
    cr_assert_eq(chdir(here), 0);
}

void world_begin(void)
{
    open_home();
    unsetenv("SETTLE_TEST_CACHE"); /* the tests' own, and no setting */
    /* a shell has the programs that it starts in the background ignore these, and nohup the last */
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    static char base[PATH_MAX];
    signal(SIGPIPE, SIG_IGN);
    const char *parent = getenv("TMPDIR");
    cr_assert_lt(
        snprintf(base, sizeof base, "%s/settle-e2e-XXXXXX", parent == NULL ? "/tmp" : parent),
        (int)sizeof base);
    cr_assert_not_null(mkdtemp(base));
    snprintf(top, sizeof top, "%s", base);
    cr_assert_lt(snprintf(world.dir, sizeof world.dir, "%s/store", base), (int)sizeof world.dir);
    cr_assert_lt(snprintf(world.log, sizeof world.log, "%s/log", base), (int)sizeof world.log);
    cr_assert_eq(mkdir(world.dir, 0755), 0);
    snprintf(world.primary, sizeof world.primary, "%s", in_dir("chroma.sqlite3"));
    int fd = open(world.primary, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    cr_assert_geq(fd, 0);
    close(fd);
}

void world_end(void)
{
    char command[PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", top);
    cr_expect_eq(system(command), 0);
}

const char *in_dir(const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    cr_assert_lt(snprintf(path, PATH_MAX, "%s/%s", world.dir, name), PATH_MAX);
    return path;
}

uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void sleep_ms(unsigned ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * MS};
    nanosleep(&ts, NULL);
}

/* --- processes --- */

struct process spawn_plain(const char *const *command)
{
    static unsigned number;
    struct process p;
    int in[2];
    int out[2];
    cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
    cr_assert_lt(snprintf(p.err, sizeof p.err, "%s/err-%u", top, number++), (int)sizeof p.err);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, p.err, O_WRONLY | O_CREAT | O_APPEND, 0644);
    extern char **environ;
    char *arguments[ARGUMENTS + 1];
    int count = 0;
    for (; command[count] != NULL; count++) {
        cr_assert_lt(count, ARGUMENTS);
        arguments[count] = strdup(command[count]);
    }
    arguments[count] = NULL;
    cr_assert_eq(posix_spawnp(&p.pid, arguments[0], &actions, NULL, arguments, environ), 0,
                 "%s cannot be started", arguments[0]);
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < count; i++)
        free(arguments[i]);
    close(in[0]);
    close(out[1]);
    p.in = in[1];
    p.out = fdopen(out[0], "r");
    setvbuf(p.out, NULL, _IONBF, 0); /* so that poll knows of every line */
    return p;
}

struct process spawn_shimmed(const char *const *options, const char *const *command)
{
    const char *all[ARGUMENTS + 1] = {"scripts/settle", "--log", "debug", "--log-file", world.log};
    int count = 5;
    for (; *options != NULL && count < ARGUMENTS - 1; options++)
        all[count++] = *options;
    all[count++] = "--";
    for (; *command != NULL && count < ARGUMENTS; command++)
        all[count++] = *command;
    all[count] = NULL;
    return spawn_plain(all);
}

static bool read_line_within(struct process *p, char *line, int size, int ms)
{
    /* An unbuffered look first, so that a program that hangs fails the test instead of hanging it.
     */
    struct pollfd ready = {.fd = fileno(p->out), .events = POLLIN};
    if (poll(&ready, 1, ms) <= 0)
        return false;
    return fgets(line, size, p->out) != NULL;
}

bool read_line(struct process *p, char *line, int size)
{
    return read_line_within(p, line, size, 20000);
}

static void await_line_in(struct process *p, const char *word, char *line, int size)
{
    do {
        if (!read_line(p, line, size)) {
            kill(p->pid, SIGKILL);
            cr_assert_fail("no line '%s' came; standard error: %s", word, errors_of(p));
        }
    } while (strncmp(line, word, strlen(word)) != 0);
}

uint64_t await_line(struct process *p, const char *word)
{
    char line[512];
    await_line_in(p, word, line, sizeof line);
    return now_ns();
}

bool says(struct process *p, const char *word, unsigned ms)
{
    char line[512];
    const uint64_t end = now_ns() + ms * (uint64_t)MS;
    for (uint64_t now = now_ns(); now < end; now = now_ns()) {
        if (!read_line_within(p, line, sizeof line, (int)((end - now) / MS) + 1))
            return false;
        if (strncmp(line, word, strlen(word)) == 0)
            return true;
    }
    return false;
}

long await_number(struct process *p, const char *word)
{
    char line[512];
    await_line_in(p, word, line, sizeof line);
    return atol(line + strlen(word));
}

void send_line(struct process *p, const char *line)
{
    cr_assert_gt(dprintf(p->in, "%s\n", line), 0);
}

int finish(struct process *p)
{
    int status = 0;
    close(p->in);
    for (int waited = 0; waitpid(p->pid, &status, WNOHANG) == 0; waited++) {
        if (waited == 10000)
            kill(p->pid, SIGKILL);
        sleep_ms(2);
    }
    fclose(p->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void kill_now(struct process *p)
{
    kill(p->pid, SIGKILL);
    finish(p);
}

static const char *content(const char *path)
{
    static char text[1 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = '\0';
    return text;
}

const char *errors_of(const struct process *p)
{
    return content(p->err);
}

struct step step(struct process *p, const char *command)
{
    char line[256];
    struct step s;
    unsigned long long took;
    send_line(p, command);
    cr_assert(read_line(p, line, sizeof line), "no answer to '%s': %s", command, errors_of(p));
    cr_assert_eq(sscanf(line, "%ld %d %llu", &s.result, &s.error, &took), 3, "%s: %s", command,
                 line);
    s.took = took;
    return s;
}

struct step say(struct process *p, const char *command, const char *path)
{
    char line[PATH_MAX + 32];
    cr_assert_lt(snprintf(line, sizeof line, "%s %s", command, path), (int)sizeof line);
    return step(p, line);
}

static bool is_traced(pid_t pid)
{
    char command[64];
    snprintf(command, sizeof command, "grep -q '^TracerPid:.*[1-9]' /proc/%d/status", (int)pid);
    return system(command) == 0;
}

struct process attach_strace(const struct process *p, const char *const *options)
{
    char pid[16];
    const char *command[ARGUMENTS + 1] = {"strace", "-qqq", "-p", pid};
    int count = 4;
    snprintf(pid, sizeof pid, "%d", (int)p->pid);
    for (; *options != NULL && count < ARGUMENTS; options++)
        command[count++] = *options;
    command[count] = NULL;
    struct process tracer = spawn_plain(command);
    for (int i = 0; !is_traced(p->pid); i++) {
        cr_assert_lt(i, 1000, "strace does not attach: %s", errors_of(&tracer));
        sleep_ms(5);
    }
    return tracer;
}

struct process first_child(const struct process *p)
{
    char path[64];
    struct process child = {.pid = 0};
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)p->pid, (int)p->pid);
    for (int waited = 0; waited < 5000 && child.pid == 0; waited++) {
        child.pid = (pid_t)atol(content(path));
        sleep_ms(1);
    }
    cr_assert_gt(child.pid, 0, "no child");
    return child;
}

unsigned threads_of(const struct process *p)
{
    char tasks[32];
    struct stat st;
    snprintf(tasks, sizeof tasks, "/proc/%d/task", (int)p->pid);
    return stat(tasks, &st) == 0 ? (unsigned)st.st_nlink - 2 : 0; /* a directory for each */
}

void await_threads(const struct process *p, unsigned count)
{
    for (int waited = 0; waited < 5000; waited++) {
        if (threads_of(p) >= count) {
            sleep_ms(50);
            return;
        }
        sleep_ms(1);
    }
    cr_assert_fail("no %u threads: nothing waits", count);
}

int watch_closes(const char *path)
{
    int watch = inotify_init1(IN_CLOEXEC);
    cr_assert_geq(inotify_add_watch(watch, path, IN_CLOSE_WRITE), 0);
    return watch;
}

void await_close(int watch)
{
    struct pollfd event = {.fd = watch, .events = POLLIN};
    cr_assert_eq(poll(&event, 1, 20000), 1, "nobody closes it");
    close(watch);
    sleep_ms(50);
}

/* --- holders and the log --- */

static struct process start_holder(const char *kind, const char *path, const char *time)
{
    struct process holder = PLAIN("build/programs/holder", kind, path, time);
    await_line(&holder, "held");
    return holder;
}

struct process hold(const char *kind, const char *path, unsigned ms)
{
    char time[16];
    snprintf(time, sizeof time, "+%u", ms);
    return start_holder(kind, path, time);
}

struct process hold_until_told(const char *kind, const char *path)
{
    return start_holder(kind, path, "-");
}

uint64_t released_at(struct process *holder)
{
    char line[64] = "";
    unsigned long long at = 0;
    cr_assert(read_line(holder, line, sizeof line));
    cr_assert_eq(sscanf(line, "released %llu", &at), 1, "%s", line);
    finish(holder);
    return at;
}

uint64_t let_go(struct process *holder)
{
    send_line(holder, "");
    return released_at(holder);
}

bool log_has(const char *text)
{
    return strstr(content(world.log), text) != NULL;
}

unsigned log_count(const char *text)
{
    unsigned count = 0;
    for (const char *at = content(world.log); (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

unsigned log_waits(void)
{
    return log_count("unlocked at once: ") + log_count("File unlocked after polling") +
           log_count("still locked after") + log_count("the wait ends") +
           log_count("cannot be examined") + log_count("nothing to wait for");
}

bool look_again(void)
{
    static unsigned times;
    return times++ < 200 &&
           log_count("still locked after") == log_count("no time to look for others");
}

pid_t lock_owner(const char *path, long offset)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fcntl(fd, F_GETLK, &lock), 0);
    close(fd);
    return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}
