#include "base/descriptor.h"

#include "base/listing.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* From its end on, and past text.h: many an open of a file that is no store's comes here. */
static inline void path_in(const char *table, int fd, char *out, size_t size)
{
    char link[48];
    char *at = &link[sizeof link - 1];
    unsigned rest = (unsigned)fd;
    *at = '\0';
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    at -= strlen(table);
    memcpy(at, table, strlen(table));
    long length = sys_readlink(at, out, size - 1);
    out[length > 0 ? length : 0] = '\0';
}

void descriptor_path(int fd, char *out, size_t size)
{
    path_in("/proc/self/fd/", fd, out, size);
}

void descriptor_path_in_helper(int fd, char *out, size_t size)
{
    path_in("/proc/thread-self/fd/", fd, out, size);
}

size_t descriptor_start(int fd, char *out, size_t size)
{
    long length = sys_pread(fd, out, size, 0);
    return length > 0 ? (size_t)length : 0;
}

/* The first 16 bytes of a database: https://www.sqlite.org/fileformat2.html. pread, so that the
 * program's file position stays. */
bool descriptor_begins_as_database(int fd, bool *empty)
{
    static const char magic[16] = "SQLite format 3";
    char start[sizeof magic];
    long length = sys_pread(fd, start, sizeof start, 0);
    *empty = length == 0;
    return length == (long)sizeof start && memcmp(start, magic, sizeof magic) == 0;
}

/* A database is a whole number of pages of 512 bytes or more. */
bool descriptor_is_database(int fd, off_t size)
{
    bool empty;
    return size >= 512 && size % 512 == 0 && descriptor_begins_as_database(fd, &empty);
}

static SYS_OWN_FRAME bool is_of(const char *number, struct identity file)
{
    struct stat st;
    return sys_fstat((int)text_number(number), &st) == 0 && identity_same(identity_of(&st), file);
}

bool descriptor_has_another(int fd, struct identity file)
{
    struct listing *numbers = scratch_take();
    bool has = numbers == NULL || listing_open(numbers, "/proc/thread-self/fd") < 0;
    if (!has) {
        const struct entry *entry;
        while (!has && (entry = listing_next(numbers)) != NULL)
            has =
                entry->name[0] != '.' && text_number(entry->name) != fd && is_of(entry->name, file);
        has |= numbers->length < 0;
        listing_close(numbers);
    }
    scratch_give(numbers);
    return has;
}

unsigned descriptor_limit(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0);
    return limit.rlim_cur > INT_MAX ? INT_MAX : (unsigned)limit.rlim_cur;
}

bool descriptor_is_spare(int fd, unsigned limit)
{
    const unsigned last = 8;
    return fd > STDERR_FILENO && (unsigned)fd + last < limit;
}
