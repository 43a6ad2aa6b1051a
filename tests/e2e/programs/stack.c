/* stack FILE: how much stack each call takes, in a thread whose stack was painted: a line with its
 * name and bytes. stack FILE grown: the same of a file that is empty when it is opened, and not
 * when it is closed. stack FILE small: the same calls in a thread with the smallest stack that
 * there is and a path buffer of its own on it, and in a signal handler with such a buffer on an
 * alternate stack of 8 KB. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAINTED = 256 * 1024, PAINT = 0x5a, ALTERNATE = 8192, USUAL_FRAME = 2048 };

static const char *path;
static bool grows;
static int fd;
static FILE *stream;

static void call_open(void)
{
    fd = open(path, O_RDWR | O_CLOEXEC);
}

static void call_close(void)
{
    close(fd);
}

static void call_openat(void)
{
    fd = openat(AT_FDCWD, path, O_RDONLY);
}

static void call_dup(void)
{
    int copy = dup(fd);
    dup2(fd, copy);
    syscall(SYS_close, copy);
}

static void call_lock(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    fcntl(fd, F_SETLK, &lock);
    lock.l_type = F_UNLCK;
    fcntl(fd, F_SETLK, &lock);
}

static void call_close_range(void)
{
    close_range((unsigned)fd, (unsigned)fd, 0);
}

static void call_fopen(void)
{
    stream = fopen(path, "r+");
}

static void call_fclose(void)
{
    fclose(stream);
}

static const struct {
    const char *name;
    void (*function)(void);
} calls[] = {
    {"open", call_open},   {"dup", call_dup},       {"fcntl", call_lock},
    {"close", call_close}, {"openat", call_openat}, {"close_range", call_close_range},
    {"fopen", call_fopen}, {"fclose", call_fclose},
};
enum { CALLS = sizeof calls / sizeof calls[0] };

static void *make_call(void *number)
{
    calls[(size_t)number].function();
    return NULL;
}

/* In a thread of its own, so that what was there before is known. */
static size_t stack_of(size_t number)
{
    pthread_attr_t attributes;
    pthread_t thread;
    unsigned char *stack =
        mmap(NULL, PAINTED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(stack, PAINT, PAINTED);
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, PAINTED);
    if (pthread_create(&thread, &attributes, make_call, (void *)number) != 0)
        abort();
    pthread_join(thread, NULL);
    size_t untouched = 0;
    while (untouched < PAINTED && stack[untouched] == PAINT)
        untouched++;
    munmap(stack, PAINTED);
    return PAINTED - untouched;
}

/* Of whole pages, so that it may have become a database. */
static void resize(off_t size)
{
    if (grows && truncate(path, size) < 0)
        abort();
}

/* The second time counts: in the first the loader may bind the function. */
static void measure(void)
{
    size_t used[CALLS];
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < CALLS; i++) {
            bool opens = strstr(calls[i].name, "open") != NULL;
            if (opens)
                resize(0);
            used[i] = stack_of(i);
            if (opens)
                resize(1024);
        }
    for (size_t i = 0; i < CALLS; i++)
        printf("%s %zu\n", calls[i].name, used[i]);
}

static void make_all_calls(void)
{
    char own[PATH_MAX]; /* as a program may have it */
    memset(own, 1, sizeof own);
    for (size_t i = 0; i < CALLS; i++)
        make_call((void *)i);
    __asm__ volatile("" : : "r"(own) : "memory");
}

static void *in_thread(void *unused)
{
    make_all_calls();
    return unused;
}

static void in_handler(int signal)
{
    (void)signal;
    make_all_calls();
}

/* The kernel puts the processor's registers on the alternate stack first: usually some 2 KB, and
 * where it has many, more than the half of 8 KB (AT_MINSIGSTKSZ). That much is the program's own
 * trouble. */
static size_t alternate_size(void)
{
    size_t frame = getauxval(51);
    return ALTERNATE + (frame > USUAL_FRAME ? frame - USUAL_FRAME : 0);
}

static void use_small_stacks(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384);
    if (pthread_create(&thread, &attributes, in_thread, NULL) != 0)
        abort();
    pthread_join(thread, NULL);
    puts("thread");
    fflush(stdout);

    const stack_t stack = {.ss_sp = malloc(alternate_size()), .ss_size = alternate_size()};
    struct sigaction action = {.sa_handler = in_handler, .sa_flags = SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    puts("handler");
}

int main(int count, char **words)
{
    path = words[1];
    grows = count > 2 && strcmp(words[2], "grown") == 0;
    if (count == 2 || grows)
        measure();
    else
        use_small_stacks();
    return 0;
}
