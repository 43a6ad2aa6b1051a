/* plain HOW STORE: a host that needs nothing but a libc.
 * HOW: close, fclose; dup2, over it; thread, a close by another one; secure: a close, once the
 * kernel has said that this program runs with somebody else's privileges; loaded: nothing but to
 * say, by the exit status, whether settle is in this process. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static int fd;

static void *close_store(void *unused)
{
    close(fd);
    return unused;
}

static void close_in_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, close_store, NULL) == 0)
        pthread_join(thread, NULL);
}

static int is_loaded(void)
{
    char line[4096 + 100];
    int loaded = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        loaded |= strstr(line, "settle.so") != NULL;
    return loaded;
}

int main(int argc, char **argv)
{
    char line[16];
    if (argc != 3)
        return 2;
    const char *how = argv[1];
    if (strcmp(how, "loaded") == 0)
        return is_loaded() ? 7 : 1;
    if (strcmp(how, "secure") == 0 && getauxval(AT_SECURE) == 0) {
        fputs("no other's privileges: is this file system mounted nosuid?\n", stderr);
        return 3;
    }

    FILE *stream = strcmp(how, "fclose") == 0 ? fopen(argv[2], "r+") : NULL;
    fd = stream != NULL ? fileno(stream) : open(argv[2], O_RDWR);
    printf("descriptor %d\n", fd);
    puts("open");
    fflush(stdout);
    if (fd < 0 || fgets(line, sizeof line, stdin) == NULL)
        return 1;

    if (stream != NULL)
        fclose(stream);
    else if (strcmp(how, "dup2") == 0)
        dup2(0, fd);
    else if (strcmp(how, "thread") == 0)
        close_in_thread();
    else
        close(fd);
    puts("closed");
    return 7;
}
