/* calls WHAT COUNT FILE [BATCH]: makes one kind of call on a file COUNT times and prints the
 * nanoseconds of one: the median of those of BATCH calls each, so that most batches meet nobody
 * else who wants the processor. Without BATCH the clock is read for all together. What undoes the
 * call (the close of an open) is a raw system call, past every preloaded library: so only the one
 * call differs between libraries, and under callgrind the instructions of 2 N calls less those of N
 * are those of N calls, without the start of the process. WHAT:STORE opens a store, too,
 * WHAT:-STORE closes it again, and WHAT:=STORE then has another thread, which sleeps. */
#include "base/sys.h"
#include "samples.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* At the same place in each run: how many steps libc's strlen takes for it changes with that, by
 * some instructions. */
static _Alignas(64) char path[4096];
static _Alignas(64) char other[4096];

static bool call_open(void)
{
    int fd = open(path, O_RDONLY);
    return fd >= 0 && sys_close(fd) == 0;
}

static bool call_write(void)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    return fd >= 0 && sys_close(fd) == 0;
}

static bool call_create(void)
{
    int fd = open(other, O_RDWR | O_CREAT | O_TRUNC, 0600);
    return fd >= 0 && sys_close(fd) == 0 &&
           sys_call(SYS_unlinkat, AT_FDCWD, (long)other, 0, 0, 0, 0) == 0;
}

static bool call_exclusive(void)
{
    int fd = open(other, O_RDWR | O_CREAT | O_EXCL, 0600);
    return fd >= 0 && sys_close(fd) == 0 &&
           sys_call(SYS_unlinkat, AT_FDCWD, (long)other, 0, 0, 0, 0) == 0;
}

static bool call_close(void)
{
    int fd = sys_openat(AT_FDCWD, path, O_RDONLY, 0);
    return fd >= 0 && close(fd) == 0;
}

/* libc's own, past every preloaded library: streams have no system call that undoes them. */
static struct {
    __typeof__(&fopen) fopen;
    __typeof__(&fclose) fclose;
} libc;

static bool find_libc(void)
{
    void *library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL)
        return false;
    libc.fopen = (__typeof__(&fopen))dlsym(library, "fopen");
    libc.fclose = (__typeof__(&fclose))dlsym(library, "fclose");
    return libc.fopen != NULL && libc.fclose != NULL;
}

static bool call_fopen(void)
{
    FILE *stream = fopen(path, "r");
    return stream != NULL && libc.fclose(stream) == 0;
}

static bool call_fclose(void)
{
    FILE *stream = libc.fopen(path, "r");
    return stream != NULL && fclose(stream) == 0;
}

static bool call_stream(void)
{
    FILE *stream = fopen(path, "r");
    return stream != NULL && fclose(stream) == 0;
}

static bool call_both(void)
{
    int fd = open(path, O_RDWR);
    return fd >= 0 && close(fd) == 0;
}

/* As Perl and Python open each file. */
static bool call_asked(void)
{
    struct stat st;
    int fd = open(path, O_RDWR);
    return fd >= 0 && fstat(fd, &st) == 0 && close(fd) == 0;
}

/* Past the library. */
static bool made(void)
{
    int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CREAT, 0600);
    return fd >= 0 && sys_close(fd) == 0;
}

static bool call_unlink(void)
{
    return made() && unlink(path) == 0;
}

static bool call_rename(void)
{
    return rename(path, other) == 0 &&
           sys_call(SYS_renameat2, AT_FDCWD, (long)other, AT_FDCWD, (long)path, 0, 0) == 0;
}

static bool call_remove(void)
{
    return made() && remove(path) == 0;
}

static bool call_unlinkat(void)
{
    return made() && unlinkat(AT_FDCWD, path, 0) == 0;
}

static bool call_rmdir(void)
{
    return sys_call(SYS_mkdirat, AT_FDCWD, (long)other, 0700, 0, 0, 0) == 0 && rmdir(other) == 0;
}

static bool call_openat(void)
{
    int fd = openat(AT_FDCWD, path, O_RDONLY);
    return fd >= 0 && sys_close(fd) == 0;
}

static bool call_opendir(void)
{
    DIR *directory = opendir(path);
    return directory != NULL && closedir(directory) == 0;
}

static const struct {
    const char *name;
    bool (*call)(void);
} table[] = {
    {"open", call_open},     {"write", call_write},         {"create", call_create},
    {"close", call_close},   {"fopen", call_fopen},         {"fclose", call_fclose},
    {"both", call_both},     {"stream", call_stream},       {"unlink", call_unlink},
    {"rename", call_rename}, {"opendir", call_opendir},     {"openat", call_openat},
    {"remove", call_remove}, {"unlinkat", call_unlinkat},   {"rmdir", call_rmdir},
    {"asked", call_asked},   {"exclusive", call_exclusive},
};

static void *sleeps(void *unused)
{
    pause();
    return unused;
}

/* Opens a store as SQLite does: from here on there is one that could be used. */
static bool open_store(const char *store)
{
    pthread_t thread;
    const bool closes = store[0] == '-' || store[0] == '=';
    if (store[0] == '=' && pthread_create(&thread, NULL, sleeps, NULL) != 0)
        return false;
    int fd = open(store + closes, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd >= 0 && (!closes || close(fd) == 0);
}

int main(int argc, char **argv)
{
    const size_t count = argc >= 4 ? strtoul(argv[2], NULL, 10) : 0;
    const size_t batch = argc == 5 ? strtoul(argv[4], NULL, 10) : count;
    const size_t batches = batch > 0 ? count / batch : 0;
    uint64_t *took = calloc(batches + 1, sizeof *took);
    for (size_t i = 0; took != NULL && batches > 0 && i < sizeof table / sizeof table[0]; i++) {
        const size_t length = strcspn(argv[1], ":");
        const char *store = argv[1][length] == ':' ? argv[1] + length + 1 : NULL;
        if (strncmp(argv[1], table[i].name, length) != 0 || table[i].name[length] != '\0')
            continue;
        if (snprintf(path, sizeof path, "%s", argv[3]) >= (int)sizeof path ||
            snprintf(other, sizeof other, "%s.2", argv[3]) >= (int)sizeof other || !find_libc() ||
            (store != NULL && !open_store(store)))
            return 1;
        for (size_t b = 0; b < batches; b++) {
            uint64_t began = now();
            for (size_t n = 0; n < batch; n++)
                if (!table[i].call())
                    return 1;
            took[b] = now() - began;
        }
        samples_sort(took, batches);
        printf("%.1f\n", (double)samples_at(took, batches, 0.5) / (double)batch);
        free(took);
        return 0;
    }
    fprintf(stderr, "calls: expected "
                    "WHAT[:[-=]STORE] COUNT FILE "
                    "[BATCH]\n");
    return 2;
}
