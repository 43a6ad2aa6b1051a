#include "polling.h"

#include "../samples.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

bool polling_can_open(const char *path)
{
    FILE *file = fopen(path, "r+b");
    return file != NULL && fclose(file) == 0;
}

bool polling_can_lock(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool free = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
    close(fd);
    return free;
}

bool polling(bool (*ask)(const char *path), const char *path, uint64_t max_wait, uint64_t interval)
{
    const struct timespec sleep = {(time_t)(interval / 1000000000), (long)(interval % 1000000000)};
    const uint64_t deadline = now() + max_wait;
    bool yes;
    while (!(yes = ask(path)) && now() < deadline)
        nanosleep(&sleep, NULL);
    return yes;
}
