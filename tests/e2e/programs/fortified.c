/* fortified PATH [abort]: opens the store by each fortified variant of open, which libc's headers
 * put in where the flags are no constant; closes all but one, says "open", and closes the last at a
 * line on its input. With `abort`: creates a file without a mode, for which these functions abort.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#if !defined(_FORTIFY_SOURCE) || _FORTIFY_SOURCE < 2
#error "to be compiled with -O2 -D_FORTIFY_SOURCE=2"
#endif

int main(int argc, char **argv)
{
    char line[16];
    if (argc < 2)
        return 2;
    volatile int flags = argc > 2 ? O_RDWR | O_CREAT : O_RDWR;
    int fds[] = {open(argv[1], flags), open64(argv[1], flags), openat(AT_FDCWD, argv[1], flags),
                 openat64(AT_FDCWD, argv[1], flags)};
    for (int i = 0; i < 3; i++)
        if (close(fds[i]) < 0)
            return 1;
    puts("open");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        return 1;
    return close(fds[3]) == 0 ? 0 : 1;
}
