#include "wait/wal.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/sys.h"
#include "holders/sqlite_locks.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum {
    WAL_HEADER = WAL_EMPTY,
    FRAME_HEADER = 24,
    PAGE_LEAST = 512,
    PAGE_MOST = 65536,
    INDEX_HEADER = 48,
    INDEX_SIZE = 136
};

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static uint32_t little_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[3] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[1] << 8 | bytes[0];
}

static uint32_t native(const unsigned char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static int open_beside(const char *database, const char *ending)
{
    char path[PATH_MAX];
    if (!path_beside(path, sizeof path, database, ending))
        return -ENAMETOOLONG;
    return sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
}

/* --- by the -shm, which the connections share --- */

/* False where it does not speak of this -wal: never filled in, being written, or left behind. */
static bool ask_index(int index, const unsigned char *wal_header, long *missing)
{
    unsigned char bytes[INDEX_SIZE];
    const unsigned char *salts = bytes + 32;
    if (sys_pread(index, bytes, sizeof bytes, 0) != (long)sizeof bytes)
        return false;
    bool initialised = bytes[12] != 0;
    if (!initialised || memcmp(bytes, bytes + INDEX_HEADER, INDEX_HEADER) != 0)
        return false;
    uint32_t frames = native(bytes + 16);
    uint32_t backfilled = native(bytes + 96);
    /* After a restart of the log it has no frames and other salts than the old header. */
    if (frames != 0 && memcmp(salts, wal_header + 16, 8) != 0)
        return false;
    *missing = frames > backfilled ? (long)(frames - backfilled) : 0;
    return true;
}

/* --- by the frames, as a recovery would --- */

struct checksum {
    uint32_t (*word)(const unsigned char *bytes); /* in the byte order that the header tells */
    uint32_t s0, s1;
};

static void sum(struct checksum *c, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i + 8 <= size; i += 8) {
        c->s0 += c->word(bytes + i) + c->s1;
        c->s1 += c->word(bytes + i + 4) + c->s0;
    }
}

static bool sum_is(const struct checksum *c, const unsigned char *bytes)
{
    return c->s0 == big_endian(bytes) && c->s1 == big_endian(bytes + 4);
}

static bool read_header(int wal, unsigned char *header, struct checksum *c)
{
    const uint32_t magic = 0x377f0682; /* the last bit: checksums are of big-endian words */
    if (sys_pread(wal, header, WAL_HEADER, 0) != WAL_HEADER || (big_endian(header) & ~1u) != magic)
        return false;
    *c = (struct checksum){.word = (header[3] & 1) != 0 ? big_endian : little_endian};
    sum(c, header, 24);
    uint32_t page = big_endian(header + 8);
    return sum_is(c, header + 24) && page >= PAGE_LEAST && page <= PAGE_MOST &&
           (page & (page - 1)) == 0;
}

/* A page is larger than what a stack has room for. */
static bool sum_page(int wal, long at, size_t size, struct checksum *c)
{
    unsigned char piece[4096];
    for (size_t done = 0, now; done < size; done += now) {
        now = size - done < sizeof piece ? size - done : sizeof piece;
        if (sys_pread(wal, piece, now, at + (long)done) != (long)now)
            return false;
        sum(c, piece, now);
    }
    return true;
}

/* What counts is up to the last frame that ends a transaction. */
static long count_frames(int wal, const unsigned char *header, struct checksum c, uint64_t deadline)
{
    const size_t page = big_endian(header + 8);
    long committed = 0;
    for (long n = 0; clock_now() < deadline; n++) {
        unsigned char frame[FRAME_HEADER];
        const long at = WAL_HEADER + n * (long)(FRAME_HEADER + page);
        if (sys_pread(wal, frame, sizeof frame, at) != (long)sizeof frame)
            break;
        sum(&c, frame, 8);
        if (!sum_page(wal, at + FRAME_HEADER, page, &c) || memcmp(frame + 8, header + 16, 8) != 0 ||
            !sum_is(&c, frame + 16))
            break;
        bool ends_transaction = big_endian(frame + 4) != 0;
        if (ends_transaction)
            committed = n + 1;
    }
    return committed;
}

long wal_frames_missing(const char *database, uint64_t deadline)
{
    unsigned char header[WAL_HEADER];
    struct checksum checksum;
    long missing = 0;
    int wal = open_beside(database, "-wal");
    if (wal < 0)
        return wal == -ENOENT ? 0 : -1;
    if (read_header(wal, header, &checksum)) {
        int index = open_beside(database, "-shm");
        if (index < 0 || !ask_index(index, header, &missing))
            missing = count_frames(wal, header, checksum, deadline);
        if (index >= 0)
            sys_close(index);
    }
    sys_close(wal);
    return missing;
}

/* Each connection in WAL mode has this byte locked for as long as it lives
 * (https://www.sqlite.org/walformat.html#wal_locks). */
bool wal_is_connected(const char *database)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SQLITE_LOCKS_SHM_LAST, .l_len = 1};
    int index = open_beside(database, "-shm");
    if (index < 0)
        return false;
    int result = sys_fcntl(index, F_GETLK, (long)&lock);
    sys_close(index);
    return result == 0 && lock.l_type != F_UNLCK;
}

/* SQLite clears the beginning of a journal that it keeps (journal_mode=persist). */
bool wal_journal_is_hot(const char *database)
{
    char first = 0;
    int journal = open_beside(database, "-journal");
    if (journal < 0)
        return false;
    bool read = sys_pread(journal, &first, 1, 0) == 1;
    sys_close(journal);
    return read && first != 0;
}

/* A lock for reading is refused by RESERVED, PENDING and EXCLUSIVE only, of which each writer has
 * one. */
bool wal_journal_has_owner(const char *database)
{
    struct flock lock = {.l_type = F_RDLCK,
                         .l_whence = SEEK_SET,
                         .l_start = SQLITE_LOCKS_FIRST,
                         .l_len = SQLITE_LOCKS_LAST + 1 - SQLITE_LOCKS_FIRST};
    int fd = open_beside(database, "");
    if (fd < 0)
        return false;
    int result = sys_fcntl(fd, F_GETLK, (long)&lock);
    sys_close(fd);
    return result == 0 && lock.l_type != F_UNLCK;
}
