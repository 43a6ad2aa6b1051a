/* crowd ROUNDS PATH...: eight threads for each store. All open theirs, and say "open" together; at
 * a line on the input, and only once, they begin to close them, and open them again when all have,
 * and so on for ROUNDS; then the program says "closed" with the number of closes that failed. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EACH = 8, MOST = 8 };

static pthread_barrier_t all;
static int rounds;
static _Atomic int failures;

static void *open_and_close(void *path)
{
    for (int i = 0; i < rounds; i++) {
        int fd = open(path, O_RDWR);
        pthread_barrier_wait(&all);
        if (i == 0)
            pthread_barrier_wait(&all); /* the main thread reads its input */
        failures += close(fd) != 0;
        pthread_barrier_wait(&all);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[EACH * MOST];
    char line[16];
    int count = EACH * (argc - 2);
    if (count <= 0 || count > EACH * MOST)
        return 2;
    rounds = atoi(argv[1]);
    pthread_barrier_init(&all, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, open_and_close, argv[2 + i / EACH]);
    for (int i = 0; i < rounds; i++) {
        pthread_barrier_wait(&all);
        if (i == 0) {
            puts("open");
            fflush(stdout);
            if (fgets(line, sizeof line, stdin) == NULL)
                return 1;
            pthread_barrier_wait(&all);
        }
        pthread_barrier_wait(&all);
    }
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    printf("closed %d\n", (int)failures);
    return 0;
}
