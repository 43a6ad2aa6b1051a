/* forked FILE SECONDS: has the file open and locked as SQLite has, and polls it in four threads,
 * which a signal interrupts all the time, whose handler forks. Each child looks at what it has:
 * everything that was open beside the polls, and of the file no more than the engine's descriptor
 * and one for each thread. At the end: how many children there were, how many lacked something, and
 * how many had one more (that was really closed at the moment of the fork); how many polls failed.
 * Whether the lock is still there is for others to see. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, OTHERS = 8, HIGHEST = 256, MS = 1000000, LACKS = 1, HAS_MORE = 2 };

static const char *path;
static struct stat file;
static int others[OTHERS];
static struct stat of_others[OTHERS];
static pthread_t threads[THREADS];
static atomic_bool stopping;
static atomic_long children;
static atomic_long wrong;
static atomic_long more;
static atomic_long failed; /* polls */

/* In a child: by system calls alone. */
static int look(void)
{
    int on_file = 0;
    for (int fd = 3; fd < HIGHEST; fd++) {
        struct stat st;
        on_file += fstat(fd, &st) == 0 && st.st_ino == file.st_ino && st.st_dev == file.st_dev;
    }
    for (int i = 0; i < OTHERS; i++) {
        struct stat st;
        if (fstat(others[i], &st) < 0 || st.st_ino != of_others[i].st_ino)
            return LACKS;
    }
    if (on_file < 1)
        return LACKS;
    return on_file <= 1 + THREADS ? 0 : HAS_MORE;
}

static void fork_here(int signal)
{
    int saved = errno;
    int status = 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(look());
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    atomic_fetch_add(&children, 1);
    if (WIFEXITED(status) && WEXITSTATUS(status) == HAS_MORE)
        atomic_fetch_add(&more, 1);
    else if (status != 0)
        atomic_fetch_add(&wrong, 1);
    errno = saved;
    (void)signal;
}

static void *poll_it(void *unused)
{
    while (!atomic_load(&stopping)) {
        int fd = open(path, O_RDWR);
        if (fd < 0 || close(fd) != 0)
            atomic_fetch_add(&failed, 1);
    }
    return unused;
}

int main(int argc, char **argv)
{
    struct flock shared = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510};
    const struct sigaction action = {.sa_handler = fork_here, .sa_flags = SA_RESTART};
    char line[16];
    if (argc != 3)
        return 2;
    path = argv[1];
    int engine = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (engine < 0 || fcntl(engine, F_SETLK, &shared) != 0 || fstat(engine, &file) != 0)
        return 1;
    for (int i = 0; i < OTHERS; i++) {
        others[i] = open("/dev/null", O_RDONLY);
        fstat(others[i], &of_others[i]);
    }
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, poll_it, NULL);
    for (time_t end = time(NULL) + atoi(argv[2]); time(NULL) < end;) {
        struct timespec pause = {.tv_nsec = MS / 2};
        struct flock none = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
        pthread_kill(threads[rand() % THREADS], SIGUSR1);
        nanosleep(&pause, NULL);
        fcntl(engine, F_SETLK, &none); /* which closes what was open at a fork */
        fcntl(engine, F_SETLK, &shared);
    }
    atomic_store(&stopping, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("children %ld\nwrong %ld\nmore %ld\nfailed %ld\n", atomic_load(&children),
           atomic_load(&wrong), atomic_load(&more), atomic_load(&failed));
    fflush(stdout);
    return fgets(line, sizeof line, stdin) == NULL;
}
