/* memory NAME [locked]: opens the file of that name, locks all of its memory where it is told to,
 * closes it, and prints what mlockall returned and how much memory it has, in kB. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static long resident_kb(void)
{
    char line[256];
    long kb = -1;
    FILE *rollup = fopen("/proc/self/smaps_rollup", "r"); /* VmRSS is up to 256 kB behind */
    while (kb < 0 && fgets(line, sizeof line, rollup) != NULL)
        sscanf(line, "Rss: %ld", &kb);
    fclose(rollup);
    return kb;
}

int main(int count, char **words)
{
    const struct rlimit usual = {8 << 20, 8 << 20};
    if (count < 2 || setrlimit(RLIMIT_MEMLOCK, &usual) != 0)
        return 2;
    int fd = open(words[1], O_RDWR | O_CREAT, 0644);
    int locked = count > 2 ? mlockall(MCL_CURRENT | MCL_FUTURE) : 0;
    int error = errno;
    int closed = close(fd);
    printf("locked %d %s\nclosed %d\nresident %ld\n", locked, locked == 0 ? "" : strerror(error),
           closed, resident_kb());
    return 0;
}
