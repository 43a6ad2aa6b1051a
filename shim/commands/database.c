#include "commands/database.h"

#include "base/descriptor.h"
#include "base/path.h"
#include "base/sys.h"

#include <limits.h>
#include <string.h>

static int open_beside(const char *database, const char *ending)
{
    char path[PATH_MAX];
    if (!path_beside(path, sizeof path, database, ending))
        return -1;
    return sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
}

bool database_is_one(const char *path)
{
    bool empty;
    int fd = open_beside(path, "");
    if (fd < 0)
        return false;
    bool begins = descriptor_begins_as_database(fd, &empty);
    sys_close(fd);
    return begins || empty;
}

/* Reads the first bytes of a file; what is not there is 0. */
static void read_start(const char *database, const char *ending, unsigned char *bytes, size_t size)
{
    memset(bytes, 0, size);
    int fd = open_beside(database, ending);
    if (fd < 0)
        return;
    if (sys_pread(fd, bytes, size, 0) < 0)
        memset(bytes, 0, size);
    sys_close(fd);
}

/* https://www.sqlite.org/fileformat2.html: byte 18 is 2 in WAL mode, the counter is at 24. In the
 * -shm the number of frames is at 16, in the machine's byte order
 * (https://www.sqlite.org/walformat.html). */
void database_state(const char *path, struct database_state *state)
{
    unsigned char start[28];
    unsigned char index[20];
    memset(state, 0, sizeof *state);
    read_start(path, "", start, sizeof start);
    if (start[18] != 2) {
        memcpy(state->counter, start + 24, sizeof state->counter);
        return;
    }
    read_start(path, "-wal", state->wal_header, sizeof state->wal_header);
    read_start(path, "-shm", index, sizeof index);
    memcpy(&state->frames, index + 16, sizeof state->frames);
}
