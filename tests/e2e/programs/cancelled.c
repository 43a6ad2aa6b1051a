/* cancelled HOW PATH: a thread that is to be cancelled closes the store at PATH, and so ends in
 * that close or after it. HOW: close; fclose, with a byte to be written; reader, a descriptor that
 * only reads. Then the main thread locks the store, and says "lock: at once", or how many ms that
 * took; and how the thread ended. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *how;
static const char *path;

static void *close_cancelled(void *unused)
{
    const int fd = open(path, strcmp(how, "reader") == 0 ? O_RDONLY : O_RDWR);
    FILE *stream = strcmp(how, "fclose") == 0 ? fdopen(fd, "r+") : NULL;
    if (stream != NULL)
        fputc('S', stream); /* as it is there */
    pthread_cancel(pthread_self());
    if (stream != NULL)
        fclose(stream);
    else
        close(fd);
    pthread_testcancel();
    return unused;
}

static long ms_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
    const long late = 100; /* the library would wait that long for a close that never arrives */
    struct flock lock = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510};
    pthread_t thread;
    void *end;
    if (argc < 3)
        return 2;
    how = argv[1];
    path = argv[2];
    pthread_create(&thread, NULL, close_cancelled, NULL);
    pthread_join(thread, &end);
    puts(end == PTHREAD_CANCELED ? "cancelled" : "not cancelled");

    const int fd = open(path, O_RDWR);
    const long began = ms_now();
    if (fcntl(fd, F_SETLK, &lock) != 0)
        return 1;
    const long took = ms_now() - began;
    if (took < late)
        puts("lock: at once");
    else
        printf("lock: %ld ms\n", took);
    return 0;
}
