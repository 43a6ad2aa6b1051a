/* forking DIRECTORY CALL PAUSE: makes one call on the store in the directory, step by step
 * (ptrace(2)), and has a signal come after each PAUSE steps, whose handler forks. What the signal
 * has interrupted goes on in the child, too. Prints how many children there were; how many came to
 * their end in another way than by this program's own exit; how many took longer than SLOW. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ns. A child that waits does so for 100 ms at least. */
static const long long SLOW = 90000000;

/* Shared by the one that makes the call and the one that counts its steps. */
struct course {
    atomic_bool in_call;
    atomic_int children, lost, slow;
};
static struct course *course;
static pid_t caller;

static long long time_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A child may inherit that it is to stop after each step, and has nobody who goes on with it. */
static void goes_on(int signal)
{
    (void)signal;
}

static void forks(int number)
{
    const int saved = errno;
    const long long began = time_now();
    (void)number;
    if (getpid() != caller)
        return;
    pid_t child = fork();
    if (child == 0) {
        const struct sigaction action = {.sa_handler = goes_on};
        sigaction(SIGTRAP, &action, NULL);
        errno = saved;
        return;
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    course->children++;
    course->lost += status != 0;
    course->slow += time_now() - began > SLOW;
    raise(SIGTRAP); /* the steps are counted again from here on */
    errno = saved;
}

/* --- the calls --- */

static void lock(int fd, short type)
{
    struct flock shared = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510};
    fcntl(fd, F_SETLK, &shared);
}

static int open_as_engine(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    lock(fd, F_RDLCK);
    return fd;
}

static int closed_by_engine(const char *path)
{
    int fd = open_as_engine(path);
    lock(fd, F_UNLCK);
    return fd;
}

static void begin(void)
{
    course->in_call = true;
    raise(SIGTRAP);
}

static void call(const char *what, const char *directory, const char *path)
{
    if (strcmp(what, "close") == 0) {
        int fd = closed_by_engine(path);
        begin();
        close(fd);
    } else if (strcmp(what, "close-foreign") == 0) {
        open_as_engine(path);
        int fd = open(path, O_RDWR);
        begin();
        close(fd);
    } else if (strcmp(what, "read") == 0) {
        open_as_engine(path);
        begin();
        open(path, O_RDONLY);
    } else if (strcmp(what, "list") == 0) {
        close(closed_by_engine(path));
        begin();
        opendir(directory);
    } else {
        exit(2);
    }
    if (getpid() != caller)
        _exit(0);
    course->in_call = false;
}

static void run(const char *what, const char *directory)
{
    const struct sigaction action = {.sa_handler = forks, .sa_flags = SA_RESTART};
    char path[4200];
    snprintf(path, sizeof path, "%s/chroma.sqlite3", directory);
    caller = getpid();
    sigaction(SIGUSR1, &action, NULL);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    call(what, directory, path);
}

/* --- the steps --- */

static int attend(pid_t child, int pause)
{
    int status;
    for (int step = 0; waitpid(child, &status, 0) == child && WIFSTOPPED(status);) {
        const int stop = WSTOPSIG(status);
        if (stop != SIGTRAP)
            ptrace(PTRACE_CONT, child, NULL, (long)stop);
        else if (!course->in_call)
            ptrace(PTRACE_CONT, child, NULL, NULL);
        else if (++step % pause == 0)
            ptrace(PTRACE_CONT, child, NULL, (long)SIGUSR1);
        else
            ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    course = mmap(NULL, sizeof *course, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    if (child == 0) {
        run(argv[2], argv[1]);
        _exit(0);
    }
    int result = attend(child, atoi(argv[3]));
    printf("%d children, %d lost, %d slow\n", (int)course->children, (int)course->lost,
           (int)course->slow);
    return result;
}
