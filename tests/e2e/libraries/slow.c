/* A close that takes 0.2 ms longer, before it goes on to that of whoever is next. */
#include <dlfcn.h>
#include <unistd.h>

int close(int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");
    usleep(200);
    return next(fd);
}
